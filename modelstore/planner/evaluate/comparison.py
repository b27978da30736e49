"""Whether one model is better than another on the same rows, by the dataset's metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from modelstore.data.task_data import TaskData
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.evaluate.measures import main_measure
from modelstore.planner.evaluate.resampling import Resampling
from modelstore.tasks import LABELS, NUMBER
from modelstore.udfs.bca_interval import bca_interval
from modelstore.udfs.holm import holm
from modelstore.udfs.permutation_p_value import permutation_p_value


@dataclass(frozen=True)
class Resampled:
    """A statistic of the rows, of each bootstrap resample, and of each group's absence."""

    value: float
    bootstrap: NDArray[np.float64]
    jackknife: NDArray[np.float64]

    def __sub__(self, other: Resampled) -> Resampled:
        return Resampled(
            self.value - other.value, self.bootstrap - other.bootstrap, self.jackknife - other.jackknife
        )

    def interval(self, confidence: float) -> tuple[float, float]:
        """The ends of its confidence interval; NaN where it is not defined."""
        return bca_interval(self.value, self.bootstrap, self.jackknife, confidence)


@dataclass(frozen=True)
class Comparison:
    """By how much ``model`` is better than ``other``, and how likely so much is if the two are alike."""

    model: str
    other: str
    difference: Resampled
    p_value: float


def compare_all(
    data: TaskData,
    answers: dict[str, Answers],
    scores: dict[str, Resampled],
    resampling: Resampling,
    on_part: Callable[[int], object],
) -> list[Comparison]:
    """Compares every model with every other, in their order, by a paired permutation test.

    Each permutation swaps the answers of both models in a random half of the rows, and scores both again
    ("approximate randomization": Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989). Of accuracy that
    is McNemar's test. Holm's correction adjusts the p-values for the number of pairs.

    Parameters
    ----------
    data
        The dataset, whose metric counts.
    answers
        What each model says of each kind of row.
    scores
        The metric of each model.
    resampling
        The rows.
    on_part
        Called with the number of permutations, when some are done.
    """
    pairs = list(combinations(answers, 2))
    comparable = {model: _comparable(data, one) for model, one in answers.items()}
    both = [main_measure(data, comparable[model].followed_by(comparable[other])) for model, other in pairs]
    swapped: list[list[NDArray]] = [[] for _ in pairs]
    for swaps in resampling.swaps():
        kept = resampling.whole - swaps
        one, another = np.concatenate([kept, swaps]), np.concatenate([swaps, kept])
        for measure, differences in zip(both, swapped, strict=True):
            differences.append((measure.values(one) - measure.values(another))[:, 0])
        on_part(swaps.shape[1])
    found = [scores[model] - scores[other] for model, other in pairs]
    p_values = holm(
        [
            permutation_p_value(difference.value, np.concatenate(differences))
            for difference, differences in zip(found, swapped, strict=True)
        ]
    )
    return [
        Comparison(model, other, difference, float(p_value))
        for (model, other), difference, p_value in zip(pairs, found, p_values, strict=True)
    ]


def _comparable(data: TaskData, answers: Answers) -> Answers:
    """The answers on a scale that models share: swapping those of two scales would spoil both.

    The metric is the same on either scale: ranks for what ranks alone decide, and units of deviation for Pearson's.
    """
    by_rank = {NUMBER: data.metric == "spearman", LABELS: data.metric == "average_precision"}
    if by_rank.get(data.target, False):
        from scipy.stats import rankdata

        return replace(answers, predicted=rankdata(answers.predicted, axis=0))
    if data.target is not NUMBER:
        return answers
    top = np.abs(answers.predicted).max() or 1.0
    centred = answers.predicted / top - (answers.predicted / top).mean()
    return replace(answers, predicted=centred / (centred.std() or 1.0))
