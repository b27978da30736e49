"""The mean of a model's normal scores, drawn to the average model: what the records say before a target is seen.

Scores are a matrix (models, datasets), NaN where nothing is on record. Of a dataset only the order of its models
counts, so that datasets of unlike metrics, levels and spreads weigh the same.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]


def normal_scores(values: Floats) -> Floats:
    """Φ⁻¹((r − ½) / n) for the rank r of each value, counted from the lowest (van der Waerden's scores).

    Parameters
    ----------
    values : (n,) numbers; NaN where there is none.

    Returns
    -------
    (n,) Tied values share their mean rank, so that values that are all alike have 0. NaN stays, and n counts the
    numbers alone.
    """
    found = np.full(values.shape, np.nan)
    places, scores = _ranked(values)
    found[places] = scores
    return found


def normal_score_prior(scores: Floats) -> Floats:
    """u_m = Σ_d Φ⁻¹((r − ½) / N_d) / (n_m + 1), over the n_m datasets that model m has.

    Parameters
    ----------
    scores : (models, datasets), NaN where missing. The caller leaves the target's own column out.

    Returns
    -------
    (models,) A model's expected normal score on one more dataset, in standard deviations of the models there. The
    one more in n_m + 1 draws models of few records to 0, the average model; 0 without records.

    Examples
    --------
    >>> normal_score_prior(np.array([[0.9, 0.7], [0.5, np.nan]])).round(3).tolist()
    [0.225, -0.337]
    """
    sums, counts = np.zeros(len(scores)), np.zeros(len(scores), dtype=np.intp)
    for column in _columns(scores):
        places, of_dataset = _ranked(column)
        sums[places] += of_dataset
        counts[places] += 1
    return sums / (counts + 1)


def normal_score_matrix(scores: Floats) -> Floats:
    """The normal scores within each column: (models, datasets), NaN where missing."""
    found = np.empty(scores.shape)
    for place, column in enumerate(_columns(scores)):
        found[:, place] = normal_scores(column)
    return found


def priors_without_each(scores: Floats) -> Floats:
    """Each model's prior as it would be without the records of one dataset: (models, datasets).

    Column d equals `normal_score_prior` of the matrix without its column d.
    """
    z = normal_score_matrix(scores)
    known = ~np.isnan(z)
    z = np.where(known, z, 0.0)
    return (z.sum(axis=1, keepdims=True) - z) / (known.sum(axis=1, keepdims=True) - known + 1)


def _columns(scores: Floats) -> Iterator[Floats]:
    """The columns, each contiguous; read from memory a cache line of 8 together."""
    for start in range(0, scores.shape[1], 8):
        yield from np.ascontiguousarray(scores[:, start : start + 8].T)


def _ranked(values: Floats) -> tuple[Counts, Floats]:
    """The places of the numbers, from the lowest, and their normal scores."""
    known = np.flatnonzero(~np.isnan(values))
    order = np.argsort(values[known])  # much faster without NaN
    places = known[order]
    values, count = values[places], len(places)
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if count else np.empty(0, dtype=np.intp)
    if len(starts) == count:
        return places, _untied(count)
    sizes = np.diff(np.r_[starts, count])
    return places, np.repeat(_quantiles((starts + sizes / 2) / count), sizes)


@lru_cache(maxsize=8)
def _untied(count: int) -> Floats:
    """The normal scores of so many different numbers, from the lowest; not to be changed."""
    return _quantiles((np.arange(count) + 0.5) / max(count, 1))


def _quantiles(shares: Floats) -> Floats:
    """Φ⁻¹ of each."""
    from scipy.special import ndtri

    return np.asarray(ndtri(shares))
