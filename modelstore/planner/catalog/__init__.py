"""CREATE and DROP of models and datasets."""
