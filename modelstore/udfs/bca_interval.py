"""Confidence intervals from bootstrap resamples, corrected for bias and skewness (BCa)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bca_interval(
    estimate: float, resampled: ArrayLike, jackknife: ArrayLike, confidence: float = 0.95
) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval of a statistic.

    Parameters
    ----------
    estimate : float
        The statistic of the sample.
    resampled : (resamples,) array_like of float
        The statistic of each bootstrap resample; NaN where it has none, which is left out.
    jackknife : (groups,) array_like of float
        The statistic without each row, or without each of some groups of rows of one size; NaN as above.
    confidence : float
        The share of intervals, over many samples, that hold the true value; in (0, 1).

    Returns
    -------
    tuple of float
        Both ends; NaN where the estimate or every resample is.

    Notes
    -----
    Efron, "Better Bootstrap Confidence Intervals", JASA 1987: the quantiles Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z))) of
    the resampled values at z = ±Φ⁻¹((1 + confidence) / 2). The bias z₀ = Φ⁻¹(share of resamples below the estimate),
    ties half; the acceleration a = Σ d³ / (6 (Σ d²)^1.5), where d is how far the mean of the jackknife values is
    above each of them. If groups of rows are left out, Σ d³ and Σ d² estimate the same ratio.

    Where all resamples are alike, as those of a model without a single error are, both ends are the estimate.

    Examples
    --------
    >>> sample = np.arange(100.0)
    >>> draws = np.random.default_rng(0).choice(sample, (2000, 100)).mean(axis=1)
    >>> left_out = (sample.sum() - sample) / 99
    >>> low, high = bca_interval(sample.mean(), draws, left_out)
    >>> round(low), round(high)
    (44, 55)
    """
    from scipy.special import ndtr, ndtri

    values, without = (_present(side) for side in (resampled, jackknife))
    if np.isnan(estimate) or not len(values):
        return float("nan"), float("nan")
    below = (np.mean(values < estimate) + np.mean(values <= estimate)) / 2
    # A share of 0 or 1 says no more than that it is beyond what so many resamples tell.
    bias = ndtri(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))
    ahead = without.mean() - without if len(without) else np.zeros(1)
    top = np.abs(ahead).max()
    ahead = ahead / top if top > 0 else ahead  # the cubes of small differences vanish
    spread = (ahead**2).sum()
    acceleration = (ahead**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + ndtri((1 + confidence) / 2) * np.array([-1.0, 1.0])
    low, high = np.quantile(values, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _present(values: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    return found[~np.isnan(found)]
