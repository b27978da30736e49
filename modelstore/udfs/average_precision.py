"""Average precision of resamples, each given by how often it holds each row."""

import numpy as np
from numpy.typing import NDArray


def average_precision(
    weights: NDArray[np.float64], scores: NDArray[np.float64], labels: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The mean average precision over the labels that a resample has, of each resample.

    Parameters
    ----------
    weights : (n, resamples) array of float
        How often each resample holds each row.
    scores : (n, labels) array of float
        How likely each row has each label.
    labels : (n, labels) array of bool
        Which labels each row has.

    Returns
    -------
    (resamples,) array of float
        In [0, 1]; 0 where a resample has no label.

    Notes
    -----
    The average precision of a label is Σ (Rₖ − Rₖ₋₁) Pₖ over the thresholds, the greatest first, with the precision
    Pₖ and the recall Rₖ of the rows that score at least as much (as in scikit-learn's ``average_precision_score``):
    rows of equal scores are taken together.

    Examples
    --------
    >>> scores, labels = np.array([[0.9], [0.8], [0.3]]), np.array([[True], [False], [True]])
    >>> average_precision(np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 2.0]]), scores, labels).round(4).tolist()
    [0.8333, 1.0]
    """
    total, having = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for score, label in zip(scores.T, labels.T, strict=True):
        if not label.any():
            continue
        order = np.argsort(-score, kind="stable")
        is_true = label[order]
        true, thresholds = np.flatnonzero(is_true), -score[order]
        last = (
            np.searchsorted(thresholds, thresholds[true], side="right") - 1
        )  # of the rows that score as much
        rows_above = np.cumsum(weights[order], axis=0)[last]
        hits = weights[order[true]]
        hits_above = np.cumsum(hits, axis=0)[np.cumsum(is_true)[last] - 1]
        precision = np.divide(hits_above, rows_above, out=np.zeros(hits.shape), where=rows_above > 0)
        found = hits.sum(axis=0)
        has_label = found > 0
        total += np.divide((hits * precision).sum(axis=0), found, out=np.zeros(len(found)), where=has_label)
        having += has_label
    return total / np.maximum(having, 1)
