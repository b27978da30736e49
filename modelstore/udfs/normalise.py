"""Proxy scores brought to [0, 1]."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def normalise_likelihood(scores: ArrayLike) -> NDArray[np.float64]:
    """Brings mean log-likelihoods (LEEP, NLEEP) to [0, 1]: exp, the geometric mean of the labels' likelihoods.

    Parameters
    ----------
    scores : (n,) array_like of float
        Nats, at most 0; −∞ gives 0, and NaN or None stays NaN.

    Returns
    -------
    (n,) ndarray of float

    Examples
    --------
    >>> normalise_likelihood([0.0, -np.inf]).tolist()
    [1.0, 0.0]
    """
    return np.exp(np.asarray(scores, dtype=np.float64))


def normalise_rank(scores: ArrayLike) -> NDArray[np.float64]:
    """The rank of each score, over the number of scores: for proxies that have no scale.

    Parameters
    ----------
    scores : (n,) array_like of float
        The higher the better; NaN or None stays NaN, and does not count.

    Returns
    -------
    (n,) ndarray of float
        In (0, 1]: the best score has 1, unless it ties. Ties share their mean rank.

    Examples
    --------
    >>> normalise_rank([0.3, 0.9, None, 0.3, 0.5]).tolist()
    [0.375, 1.0, nan, 0.375, 0.75]
    """
    values = np.asarray(scores, dtype=np.float64)
    ranks = np.full(values.shape, np.nan)
    scored = ~np.isnan(values)
    _, inverse, counts = np.unique(values[scored], return_inverse=True, return_counts=True)
    ranks[scored] = (np.cumsum(counts) - (counts - 1) / 2)[inverse] / max(1, len(inverse))
    return ranks
