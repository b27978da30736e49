"""Greedy ensemble selection with replacement.

Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004. Starting from the best model, each
round adds the model, perhaps again, with which the mean of all predictions scores best on validation; a
model's weight is how often it was added. The best ensemble of all rounds is taken, and of equally good ones
the smallest.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 20


def greedy_ensemble(
    predictions: Sequence[NDArray], score: Callable[[NDArray], float]
) -> tuple[NDArray[np.float64], float]:
    """The weights of the models in an ensemble.

    Parameters
    ----------
    predictions
        One array for each model, of one shape: probabilities (rows, classes or labels), or numbers (rows,).
    score
        Scores such an array; the higher the better.

    Returns
    -------
    tuple
        The weights (models,), which sum to 1, and the ensemble's score.

    Examples
    --------
    Two models that err in opposite directions are best together:

    >>> target = np.array([0.0, 1.0])
    >>> weights, _ = greedy_ensemble([target + 1, target - 1], lambda mean: -float(abs(mean - target).sum()))
    >>> weights.tolist()
    [0.5, 0.5]
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
