"""A dataset in the form in which it is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelstore.tasks import LABELS, NUMBER, TAGS, Target, target_of


@dataclass(frozen=True)
class TaskData:
    """A dataset ready to train on.

    Each split has the columns ``text`` (string), and ``text_pair`` (string) for a pair task, or ``image`` (binary:
    an encoded PNG, JPEG, …); and ``label``: an int64 class id, a float64 for regression, or for multi-label
    classification a list of different int64 label ids, which may be empty. For token classification, ``text`` is a
    list of strings, and ``label`` a list of as many tag ids, at least one. No value is NULL, no split is empty, and
    every id indexes ``labels``.

    Parameters
    ----------
    name
        The dataset's name in the catalog.
    task
        One of `modelstore.tasks.TASKS`.
    metric
        One of the task's.
    modality
        ``text`` or ``image``.
    labels
        The names of classes, labels or tags by id; empty for regression.
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

    @property
    def target(self) -> Target:
        """What is predicted for a row."""
        return target_of(self.task)

    def targets(self, split: str, rows: NDArray | None = None) -> NDArray:
        """The labels of a split, or of some of its rows, as an array.

        Returns
        -------
        NDArray
            Class ids or numbers, (rows,); for multi-label classification which labels each row has, (rows, labels)
            booleans; for token classification the tag ids of all rows, one row after another, (tokens,).
        """
        column = self.split(split).column("label")
        if rows is not None:
            column = column.take(rows)
        if self.target is TAGS:
            return _pairs(column)[1]
        if self.target is not LABELS:
            return column.to_numpy()
        matrix = np.zeros((len(column), len(self.labels)), bool)
        matrix[_pairs(column)] = True
        return matrix

    def tokens(self, split: str) -> NDArray:
        """How many tokens each row of a token classification has, (rows,)."""
        import pyarrow.compute as pc  # slow to import

        lengths: NDArray = pc.list_value_length(self.split(split).column("label")).to_numpy()
        return lengths

    def strata(self, split: str) -> NDArray:
        """The stratum of each row of a split, (rows,): its class, or rarest label or tag; one for all numbers."""
        column = self.split(split).column("label")
        if self.target is NUMBER:
            return np.zeros(len(column), np.int64)
        if self.target not in (LABELS, TAGS):
            return column.to_numpy()
        rows, ids = _pairs(column)
        counts = np.bincount(ids, minlength=len(self.labels))
        ranks = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
        rarest = np.full(len(column), len(ranks))
        np.minimum.at(rarest, rows, ranks[ids])
        return rarest


def _pairs(column: pa.ChunkedArray) -> tuple[NDArray, NDArray]:
    """The row and the id of each label or tag of a column of lists, both (pairs,)."""
    import pyarrow.compute as pc  # slow to import

    rows = np.repeat(np.arange(len(column)), pc.list_value_length(column).to_numpy())
    return rows, pc.list_flatten(column).to_numpy()
