"""A dataset in the form in which it is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class TaskData:
    """A dataset ready to train on.

    Each split has the columns ``text`` (string), and ``text_pair`` (string) for a pair task, or ``image`` (binary:
    an encoded PNG, JPEG, …); and ``label``: an int64 class id, or a float64 for regression. No value is NULL, no
    split is empty, and every class id indexes ``labels``.

    Parameters
    ----------
    name
        The dataset's name in the catalog.
    task
        ``text_classification``, ``text_pair_classification``, ``image_classification`` or ``regression``.
    metric
        ``accuracy``, ``f1_macro`` or ``matthews``; ``pearson`` or ``spearman`` for regression.
    modality
        ``text`` or ``image``.
    labels
        The class names by id; empty for regression.
    train, validation, test
        The rows of each split.
    """

    name: str
    task: str
    metric: str
    modality: str
    labels: tuple[str, ...]
    train: pa.Table
    validation: pa.Table
    test: pa.Table

    def split(self, name: str) -> pa.Table:
        """The rows of the split ``name``: train, validation or test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]
