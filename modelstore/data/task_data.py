"""The form in which a dataset reaches the engine."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class TaskData:
    """A dataset ready to train on.

    Each split has the columns `text` (string), and `text_pair` (string) for a pair task, or `image`
    (binary: an encoded PNG, JPEG, …); and `label`: an int64 class id, or a float64 for regression.
    There are no NULLs in them, no split is empty, and every class id indexes `labels`.
    """

    name: str
    task: str  # text_classification | text_pair_classification | image_classification | regression
    metric: str  # accuracy | f1_macro | matthews | pearson | spearman
    modality: str  # text | image
    labels: tuple[str, ...]  # class names by id; () for regression
    train: pa.Table
    validation: pa.Table
    test: pa.Table

    def split(self, name: str) -> pa.Table:
        """The table of the split `name`: train, validation or test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]
