"""Scores predictions against labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS, Target

METRICS = (*CLASS.metrics, *NUMBER.metrics)  # of one class or number a row
THRESHOLD = 0.5  # the probability from which on a label counts as predicted


def compared(target: Target, scores: NDArray) -> NDArray:
    """What `score` compares with the labels: of the probabilities of classes, (rows, classes), the likeliest class.

    The probabilities of labels, (rows, labels), and numbers, (rows,), are compared as they are. A token without
    probabilities, all of them 0, has no tag: -1.
    """
    if target is TAGS:
        return np.where(scores.any(axis=1), scores.argmax(axis=1), -1)
    return scores.argmax(axis=1) if target is CLASS else scores


def score(metric: str, predictions: NDArray, labels: NDArray) -> float:
    """Scores predictions against labels; higher is better, and 1 is the best score of every metric.

    Parameters
    ----------
    metric
        One of `METRICS`, or of those of label sets.
    predictions, labels
        Class ids for accuracy, f1_macro and matthews, numbers for pearson and spearman: (n,). For several labels a
        row, f1_micro, f1_macro and average_precision take the probability of each label, (n, labels), and
        booleans of the same shape.

    Raises
    ------
    ValueError
        The metric is unknown.

    Notes
    -----
    f1_macro is the mean over the classes that occur in the predictions or the labels. matthews, pearson and spearman
    are 0 if either side is constant.

    Of several labels a row, those with a probability of at least `THRESHOLD` are predicted. f1_micro counts the hits
    and misses of all labels together; f1_macro is the mean over the labels that occur in the predictions or the
    labels. average_precision is the mean over the labels that some row has, each as scikit-learn defines it: the sum
    of the precisions at each threshold, weighted by the gain in recall. Each is 0 where nothing occurs.

    Examples
    --------
    >>> score("accuracy", np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    0.75
    """
    if labels.ndim == 2:
        return _score_of_sets(metric, predictions, labels)
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


def _score_of_sets(metric: str, probabilities: NDArray, labels: NDArray) -> float:
    """Scores the probabilities of labels, (n, labels), against which of them each row has."""
    if metric == "average_precision":
        from sklearn.metrics import average_precision_score

        occurring = labels.any(axis=0)
        if not occurring.any():
            return 0.0
        return float(
            average_precision_score(labels[:, occurring], probabilities[:, occurring], average="macro")
        )
    if metric not in LABELS.metrics:
        raise ValueError(f"unknown metric '{metric}' of label sets: one of {', '.join(LABELS.metrics)}")
    predicted = probabilities >= THRESHOLD
    hits = (predicted & labels).sum(axis=0)
    either = predicted.sum(axis=0) + labels.sum(axis=0)
    if not either.any():
        return 0.0
    if metric == "f1_micro":
        return float(2 * hits.sum() / either.sum())
    return float((2 * hits[either > 0] / either[either > 0]).mean())


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
