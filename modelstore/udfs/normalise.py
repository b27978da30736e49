"""Proxy scores brought to [0, 1]."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def normalise_likelihood(scores: ArrayLike) -> NDArray[np.float64]:
    """exp of mean log-likelihoods (LEEP, NLEEP: nats, at most 0), (n,) in and out: the geometric mean of the
    labels' likelihoods, in [0, 1]. −∞ gives 0; NaN, or None, stays NaN."""
    return np.exp(np.asarray(scores, dtype=np.float64))


def normalise_rank(scores: ArrayLike) -> NDArray[np.float64]:
    """The rank of each score among those that are not NaN, over their number: (n,) in and out, in (0, 1], the
    best 1 unless it ties. Ties share their mean rank. NaN, or None, stays NaN. For proxies without a
    scale."""
    values = np.asarray(scores, dtype=np.float64)
    ranks = np.full(values.shape, np.nan)
    scored = ~np.isnan(values)
    _, inverse, counts = np.unique(values[scored], return_inverse=True, return_counts=True)
    ranks[scored] = (np.cumsum(counts) - (counts - 1) / 2)[inverse] / max(1, len(inverse))
    return ranks
