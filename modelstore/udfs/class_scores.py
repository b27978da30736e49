"""Precision, recall and F1 of classes, and their means, from counts of hits."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


def share(part: Counts, whole: Counts) -> Counts:
    """part / whole; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def class_scores(hits: Counts, predicted: Counts, true: Counts) -> tuple[Counts, Counts, Counts]:
    """Precision, recall and F1 of each class.

    Parameters
    ----------
    hits, predicted, true : (…, classes) array of float
        How often each class is predicted rightly, is predicted, and is true.

    Returns
    -------
    tuple of (…, classes) array of float
        Precision hits / predicted, recall hits / true and F1 = 2 hits / (predicted + true), their harmonic mean; NaN
        where nothing is predicted, nothing is true, or neither.

    Examples
    --------
    >>> precision, recall, f1 = class_scores(np.array([3.0, 0.0]), np.array([4.0, 0.0]), np.array([3.0, 1.0]))
    >>> precision.tolist(), recall.tolist(), f1.round(3).tolist()
    ([0.75, nan], [1.0, 0.0], [0.857, 0.0])
    """
    return share(hits, predicted), share(hits, true), share(2 * hits, predicted + true)


def f1_macro(hits: Counts, predicted: Counts, true: Counts) -> Counts:
    """The mean F1 over the classes that are predicted or true somewhere, (…,); 0 where there is none.

    Parameters
    ----------
    hits, predicted, true : (…, classes) array of float
        As in `class_scores`.
    """
    either = predicted + true
    scores = np.divide(2 * hits, either, out=np.zeros(either.shape), where=either > 0)
    return scores.sum(axis=-1) / np.maximum((either > 0).sum(axis=-1), 1)


def f1_micro(hits: Counts, predicted: Counts, true: Counts) -> Counts:
    """The F1 of the counts of all classes together, (…,); 0 where there are none.

    Parameters
    ----------
    hits, predicted, true : (…, classes) array of float
        As in `class_scores`.
    """
    either = (predicted + true).sum(axis=-1)
    return np.divide(2 * hits.sum(axis=-1), either, out=np.zeros(either.shape), where=either > 0)
