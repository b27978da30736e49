"""CREATE and DROP models and datasets."""
