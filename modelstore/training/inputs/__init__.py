"""A dataset's rows as a model takes them: tokens or pixels, in batches."""
