"""Coarse recall: cluster the models by their records, score representatives by a proxy, propagate, rank."""
