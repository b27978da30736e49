"""`EVALUATE MODELS`: how well models predict a split of a dataset, and whether one is better than another."""
