"""What a model says of the rows of a split, beside what is true, and how often each class is hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelstore.tasks import CLASS, LABELS, TAGS, Target
from modelstore.training.metrics import THRESHOLD
from modelstore.udfs.entity_f1 import entities, entity_places, entity_types

Pairs = tuple[NDArray, NDArray]  # rows, and a class of each: both (pairs,)


@dataclass(frozen=True)
class Answers:
    """The answers for some rows.

    Parameters
    ----------
    target
        What is predicted for a row.
    labels
        The names of classes, labels or tags by id: the dataset's, then those that models alone know.
    predicted, truth
        The ids of classes, or numbers: (rows,). Of several labels a row the probabilities, and which are true:
        (rows, labels). The ids of the tags of words, one row after another, -1 for a word without one: (words,).
    lengths
        The words of each row, (rows,), where tags are predicted.
    """

    target: Target
    labels: Sequence[str]
    predicted: NDArray
    truth: NDArray
    lengths: NDArray | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.truth if self.lengths is None else self.lengths)

    @property
    def has_mistake(self) -> bool:
        """Whether any class, label or tag is predicted wrongly."""
        predicted = self.predicted >= THRESHOLD if self.target is LABELS else self.predicted
        return not np.array_equal(predicted, self.truth)

    def of_rows(self, rows: NDArray) -> Answers:
        """Those of some rows, of which each is one number or one list of probabilities."""
        if self.lengths is not None:
            assert len(rows) == self.rows
            return self
        return replace(self, predicted=self.predicted[rows], truth=self.truth[rows])

    def followed_by(self, other: Answers) -> Answers:
        """These rows, then those of others."""
        lengths = None
        if self.lengths is not None and other.lengths is not None:
            lengths = np.concatenate([self.lengths, other.lengths])
        return replace(
            self,
            predicted=np.concatenate([self.predicted, other.predicted]),
            truth=np.concatenate([self.truth, other.truth]),
            lengths=lengths,
        )


@dataclass(frozen=True)
class Outcomes:
    """Which classes are predicted and true in which rows.

    Parameters
    ----------
    rows
        How many rows there are.
    classes
        The names of the classes.
    hits, predicted, true
        The row and the class of each right prediction, each prediction, and each true one.
    """

    rows: int
    classes: Sequence[str]
    hits: Pairs
    predicted: Pairs
    true: Pairs

    def counts(self) -> tuple[NDArray, NDArray, NDArray]:
        """How often each class is hit, predicted and true in all rows, each (classes,)."""
        hits, predicted, true = (
            np.bincount(ids, minlength=len(self.classes)) for _, ids in (self.hits, self.predicted, self.true)
        )
        return hits, predicted, true


def outcomes_of(answers: Answers) -> Outcomes:
    """The outcomes of classes, labels, or the tags of single words."""
    if answers.target is LABELS:
        predicted, truth = answers.predicted >= THRESHOLD, answers.truth
        hits = predicted & truth
        return Outcomes(answers.rows, answers.labels, _pairs(hits), _pairs(predicted), _pairs(truth))
    rows = np.arange(answers.rows)
    if answers.lengths is not None:
        rows = np.repeat(rows, answers.lengths)
    is_right, is_read = answers.predicted == answers.truth, answers.predicted >= 0
    return Outcomes(
        answers.rows,
        answers.labels,
        (rows[is_right], answers.truth[is_right]),
        (rows[is_read], answers.predicted[is_read]),
        (rows, answers.truth),
    )


def _pairs(matrix: NDArray[np.bool_]) -> Pairs:
    rows, classes = np.nonzero(matrix)
    return rows, classes


def outcomes_of_entities(answers: Answers) -> Outcomes:
    """The outcomes of entities by their type, where the tags of words mark entities."""
    assert answers.lengths is not None
    found, real = (
        entities(side, answers.lengths, answers.labels) for side in (answers.predicted, answers.truth)
    )
    right = np.intersect1d(found, real, assume_unique=True)
    hits, predicted, true = (
        entity_places(some, answers.lengths, answers.labels) for some in (right, found, real)
    )
    return Outcomes(answers.rows, entity_types(answers.labels), hits, predicted, true)


def confusion(answers: Answers) -> NDArray[np.int64]:
    """How often each class is answered by each: (true, predicted), in a last column what was not read at all."""
    assert answers.target in (CLASS, TAGS)
    size = len(answers.labels)
    column = np.where(answers.predicted < 0, size, answers.predicted)
    cells = np.bincount(answers.truth * (size + 1) + column, minlength=size * (size + 1))
    return cells.reshape(size, size + 1)
