"""Metrics of many resamples at once, each of which says how often it holds each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelstore.data.task_data import TaskData
from modelstore.planner.evaluate.answers import Answers, Outcomes, outcomes_of, outcomes_of_entities
from modelstore.tasks import LABELS, NUMBER, TAGS
from modelstore.udfs import weighted_correlation
from modelstore.udfs.average_precision import average_precision
from modelstore.udfs.class_scores import class_scores, f1_macro, f1_micro, share
from modelstore.udfs.entity_f1 import has_entity_tags
from modelstore.udfs.matthews import matthews

RMSE = "rmse"
BY_CLASS = ("precision", "recall", "f1")
_Counts = NDArray[np.float64]

_OF_COUNTS: dict[str, Callable[[_Counts, _Counts, _Counts], _Counts]] = {
    "accuracy": lambda hits, predicted, true: share(hits.sum(axis=-1), true.sum(axis=-1)),
    "f1_macro": f1_macro,
    "f1_micro": f1_micro,
    "f1_entity": f1_micro,  # entities count by type; the sums do not ask for it
    "matthews": matthews,
}
_OF_NUMBERS: dict[str, Callable[[NDArray, NDArray, NDArray], NDArray]] = {
    "pearson": weighted_correlation.pearson,
    "spearman": weighted_correlation.spearman,
    RMSE: lambda weights, predicted, truth: np.sqrt((predicted - truth) ** 2 @ weights / weights.sum(axis=0)),
}


class Measure(Protocol):
    """Statistics of weighted rows.

    Attributes
    ----------
    names
        The metric of each statistic, and its class; None for one of all classes.
    """

    names: list[tuple[str, str | None]]

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The statistics, (resamples, statistics), of resamples that hold rows so often, (rows, resamples).

        NaN where a statistic is not defined.
        """


class CountMeasure:
    """Metrics that counts of hits decide, and perhaps precision, recall and F1 of each class."""

    def __init__(self, outcomes: Outcomes, metrics: Sequence[str], by_class: bool):
        from scipy import sparse

        self._metrics, self._by_class, classes = metrics, by_class, outcomes.classes
        self._classes = len(classes)
        self.names: list[tuple[str, str | None]] = [(metric, None) for metric in metrics]
        if by_class:
            self.names += [(score, name) for score in BY_CLASS for name in classes]
        pairs = (outcomes.hits, outcomes.predicted, outcomes.true)
        rows = np.concatenate([side[0] for side in pairs])
        columns = np.concatenate([side[1] + len(classes) * place for place, side in enumerate(pairs)])
        self._counts = sparse.csr_array(
            (np.ones(len(rows)), (columns, rows)), shape=(3 * len(classes), outcomes.rows)
        )

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = (self._counts @ weights).T.reshape(-1, 3, self._classes)
        counts = sums[:, 0], sums[:, 1], sums[:, 2]
        found = [_OF_COUNTS[metric](*counts)[:, None] for metric in self._metrics]
        return np.hstack([*found, *class_scores(*counts)] if self._by_class else found)


class NumberMeasure:
    """Correlations and errors of predicted numbers."""

    def __init__(self, answers: Answers, metrics: Sequence[str]):
        self._answers, self._metrics = answers, metrics
        self.names: list[tuple[str, str | None]] = [(metric, None) for metric in metrics]

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        sides = self._answers.predicted, self._answers.truth
        return np.stack([_OF_NUMBERS[metric](weights, *sides) for metric in self._metrics], axis=1)


class PrecisionMeasure:
    """The average precision of the probabilities of labels."""

    def __init__(self, answers: Answers):
        self._answers = answers
        self.names: list[tuple[str, str | None]] = [("average_precision", None)]

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return average_precision(weights, self._answers.predicted, self._answers.truth)[:, None]


class JoinedMeasure:
    """The statistics of several measures, those of one metric first."""

    def __init__(self, measures: Sequence[Measure], first: str):
        names = [name for measure in measures for name in measure.names]
        self._measures = measures
        self._order = sorted(range(len(names)), key=lambda place: names[place] != (first, None))
        self.names = [names[place] for place in self._order]

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.hstack([measure.values(weights) for measure in self._measures])[:, self._order]


def marks_entities(data: TaskData) -> bool:
    """Whether a dataset's tags are of entities, which are counted instead of words."""
    return data.target is TAGS and (data.metric == "f1_entity" or has_entity_tags(data.labels))


def all_measures(data: TaskData, answers: Answers) -> Measure:
    """All metrics of the dataset's task, its own first, and the scores of each class."""
    metrics = data.target.metrics
    if data.target is NUMBER:
        return JoinedMeasure([NumberMeasure(answers, (*metrics, RMSE))], data.metric)
    if data.target is LABELS:
        counted = [metric for metric in metrics if metric in _OF_COUNTS]
        return JoinedMeasure(
            [CountMeasure(outcomes_of(answers), counted, True), PrecisionMeasure(answers)], data.metric
        )
    if data.target is not TAGS:
        return JoinedMeasure([CountMeasure(outcomes_of(answers), metrics, True)], data.metric)
    if not marks_entities(data):
        return CountMeasure(outcomes_of(answers), ["accuracy"], True)
    by_type = CountMeasure(outcomes_of_entities(answers), ["f1_entity"], True)
    return JoinedMeasure([by_type, CountMeasure(outcomes_of(answers), ["accuracy"], False)], data.metric)


def main_measure(data: TaskData, answers: Answers) -> Measure:
    """The dataset's own metric alone."""
    if data.target is NUMBER:
        return NumberMeasure(answers, [data.metric])
    if data.metric == "average_precision":
        return PrecisionMeasure(answers)
    find = outcomes_of_entities if data.metric == "f1_entity" else outcomes_of
    return CountMeasure(find(answers), [data.metric], False)
