"""How predictions are scored against the labels of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRICS = ("accuracy", "f1_macro", "matthews", "pearson", "spearman")


def score(metric: str, predictions: NDArray, labels: NDArray) -> float:
    """The score of `predictions` (n,) against `labels` (n,); higher is better.

    Class ids for accuracy, f1_macro (the mean over the classes that occur in either) and matthews; numbers
    for pearson and spearman, which are 0 where either side is constant, as matthews is.

    Raises ValueError for a metric that is not one of METRICS.
    """
    if metric == "accuracy":
        return float(np.mean(predictions == labels))
    if metric == "f1_macro":
        from sklearn.metrics import f1_score

        return float(f1_score(labels, predictions, average="macro", zero_division=0.0))
    if metric == "matthews":
        if len(np.unique(predictions)) < 2 or len(np.unique(labels)) < 2:
            return 0.0
        from sklearn.metrics import matthews_corrcoef

        return float(matthews_corrcoef(labels, predictions))
    if metric == "pearson":
        return _correlation(predictions, labels)
    if metric == "spearman":
        from scipy.stats import rankdata

        return _correlation(rankdata(predictions), rankdata(labels))
    raise ValueError(f"unknown metric '{metric}': one of {', '.join(METRICS)}")


def _correlation(x: NDArray, y: NDArray) -> float:
    x, y = (_centred(side) for side in (x, y))
    return float(np.clip(x @ y, -1.0, 1.0))


def _centred(values: NDArray) -> NDArray:
    """`values` in float64 less their mean, scaled to length 1; zeros where they are constant."""
    values = np.asarray(values, dtype=np.float64)
    if values.min() == values.max():
        return np.zeros_like(values)
    # Scaled by the largest first: squares of the very small and the very large would not be finite.
    values = values / np.abs(values).max()
    values = values - values.mean()
    length = np.linalg.norm(values)
    return values / length if length > 0 else values
