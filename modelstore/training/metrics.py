"""Scores predictions against labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRICS = ("accuracy", "f1_macro", "matthews", "pearson", "spearman")


def score(metric: str, predictions: NDArray, labels: NDArray) -> float:
    """Scores predictions against labels; higher is better, and 1 is the best score of every metric.

    Parameters
    ----------
    metric
        One of `METRICS`.
    predictions, labels
        Class ids for accuracy, f1_macro and matthews, numbers for pearson and spearman: (n,).

    Raises
    ------
    ValueError
        The metric is unknown.

    Notes
    -----
    f1_macro is the mean over the classes that occur in the predictions or the labels. matthews, pearson and spearman
    are 0 if either side is constant.

    Examples
    --------
    >>> score("accuracy", np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    0.75
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
    """Returns Pearson's correlation of two arrays, (n,); 0 if either is constant."""
    x, y = (_centred(side) for side in (x, y))
    return float(np.clip(x @ y, -1.0, 1.0))


def _centred(values: NDArray) -> NDArray:
    """Returns values in float64, shifted to mean 0 and scaled to length 1; zeros if they are constant."""
    values = np.asarray(values, dtype=np.float64)
    if values.min() == values.max():
        return np.zeros_like(values)
    # The scaling prevents that squares of very large or very small values overflow or underflow.
    values = values / np.abs(values).max()
    values = values - values.mean()
    length = np.linalg.norm(values)
    return values / length if length > 0 else values


def finite_score(metric: str, predictions: NDArray, labels: NDArray) -> float:
    """`score`, or ValueError where that is not a finite number, as of predictions that overflow."""
    found = score(metric, predictions, labels)
    if not np.isfinite(found):
        raise ValueError(f"its {metric} is not a finite number")
    return found
