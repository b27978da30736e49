"""Turns the rows of a dataset into the inputs of a model: tokens or pixels, in batches."""
