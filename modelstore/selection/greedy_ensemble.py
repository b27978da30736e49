"""Greedy ensemble selection with replacement (Caruana et al., "Ensemble Selection from Libraries of Models", 2004).

From the best model on, the one is added, again perhaps, whose predictions make the mean of all score best on
validation; how often a model is in it is its weight. Of the ensembles on the way, the best is taken, and of equally
good ones the smallest.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 20


def greedy_ensemble(
    predictions: Sequence[NDArray], score: Callable[[NDArray], float]
) -> tuple[NDArray[np.float64], float]:
    """The models' weights, which sum to 1: (models,), and the ensemble's score on validation.

    predictions: each model's, of one shape: probabilities (rows, classes), or numbers (rows,). score: of such an
    array; the higher the better.
    """
    counts = np.zeros(len(predictions))
    best_counts, best = counts, -np.inf
    total = np.zeros_like(predictions[0], dtype=float)
    for size in range(1, ROUNDS + 1):
        scores = [score((total + one) / size) for one in predictions]
        added = int(np.argmax(scores))
        counts = counts.copy()
        counts[added] += 1
        total = total + predictions[added]
        if scores[added] > best:
            best_counts, best = counts, scores[added]
    return best_counts / best_counts.sum(), float(best)
