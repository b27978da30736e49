"""A store as one HTML file to look at, without a network: its selections, matrix, clusters, models and datasets."""
