"""Correlations of resamples, each given by how often it holds each row."""

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-14  # of a mean, relative


def pearson(
    weights: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson's correlation of each resample.

    Parameters
    ----------
    weights : (n, resamples) array of float
        How often each resample holds each row, at least one row each.
    x, y : (n,) array of float, or (n, resamples)
        The values of the rows, the same in all resamples or not.

    Returns
    -------
    (resamples,) array of float
        In [−1, 1]; 0 where a side is constant.

    Examples
    --------
    >>> x, y = np.array([1.0, 2.0, 3.0, 9.0]), np.array([2.0, 1.0, 4.0, 0.0])
    >>> pearson(np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), x, y).round(4).tolist()
    [0.6547, -1.0]
    """
    (x, x_length), (y, y_length) = (_centred(weights, side) for side in (x, y))
    lengths = x_length * y_length
    product = np.einsum("nr,nr,nr->r", weights, x, y)
    found = np.divide(product, lengths, out=np.zeros(weights.shape[1]), where=lengths > 0)
    return np.clip(found, -1.0, 1.0)


def spearman(
    weights: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of each resample: Pearson's of the ranks within it, equal values at their mean rank.

    Parameters
    ----------
    weights : (n, resamples) array of float
        How often each resample holds each row, at least one row each.
    x, y : (n,) array of float
        The values of the rows.

    Returns
    -------
    (resamples,) array of float
        In [−1, 1]; 0 where a side is constant.

    Examples
    --------
    >>> x, y = np.array([1.0, 2.0, 3.0, 9.0]), np.array([2.0, 1.0, 4.0, 0.0])
    >>> spearman(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]), x, y).round(4).tolist()
    [0.5, -0.4]
    """
    return pearson(weights, _ranks(weights, x), _ranks(weights, y))


def _centred(
    weights: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The values less their mean in each resample, (n, resamples), and their length there; 0 if they are constant."""
    each = values.reshape(len(values), -1)  # one column for all resamples, or one for each
    top = np.abs(each).max(axis=0)
    scaled = each / np.where(top > 0, top, 1.0)  # the squares of very large or small values are no numbers
    total = weights.sum(axis=0)
    mean = (scaled[:, 0] @ weights if values.ndim == 1 else np.einsum("nr,nr->r", weights, scaled)) / total
    centred = scaled - mean
    squares = np.einsum("nr,nr,nr->r", weights, centred, centred)
    return centred, np.sqrt(np.where(squares > total * (_ROUNDING * mean) ** 2, squares, 0.0))


def _ranks(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean rank of each row's value within each resample, (n, resamples)."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    counts = weights[order]
    if len(distinct) < len(values):
        counts = np.add.reduceat(counts, np.searchsorted(place[order], np.arange(len(distinct))), axis=0)
    return (np.cumsum(counts, axis=0) - (counts - 1) / 2)[place]
