"""The functions of SQL that run models: `predict`, `predict_proba` and `embed`."""
