"""The datasets whose results tell most about the others: principal variables of the performance matrix."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST = 1e-9  # less variance than this is rounding


def most_informative(
    correlation: Floats, count: int, known: list[int] | None = None
) -> list[tuple[int, float]]:
    """The datasets whose results explain most of the variance over all datasets.

    Parameters
    ----------
    correlation
        (datasets, datasets): how far results on two datasets go together.
    count
        How many to return at most.
    known
        The datasets whose results are known already.

    Returns
    -------
    list of (int, float)
        Datasets with their gains, the greatest first; ties go to the first dataset. A gain is the share of
        the variance that a result explains beside those before it and the known ones: Σ_i Cov(i, j | chosen)²
        / Var(j | chosen) / datasets, as in Gaussian conditioning. The gains of all datasets, the known ones
        included, sum to 1. A dataset that the chosen ones predict exactly is left out.

    Notes
    -----
    Greedy selection of principal variables: McCabe, "Principal Variables", Technometrics 1984, by the trace
    criterion.

    Examples
    --------
    The second dataset goes with the first, the third with none:

    >>> found = most_informative(np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]]), count=2)
    >>> [(place, round(gain, 3)) for place, gain in found]
    [(0, 0.603), (2, 0.333)]
    """
    covariance = correlation.copy()
    total = np.trace(correlation)
    chosen: list[tuple[int, float]] = []
    for place in known or []:
        covariance = _given(covariance, place)
    while len(chosen) < count:
        variances = np.diag(covariance)
        explained = np.divide(
            (covariance**2).sum(axis=0), variances, out=np.zeros(len(variances)), where=variances > _LEAST
        )
        # Rounded, so that ties are ties on every processor.
        best = int(np.argmax(explained.round(9)))
        if explained[best] <= _LEAST:
            break
        chosen.append((best, float(explained[best] / total)))
        covariance = _given(covariance, best)
    return chosen


def _given(covariance: Floats, place: int) -> Floats:
    """The covariance once the variable at ``place`` is known."""
    variance = covariance[place, place]
    if variance <= _LEAST:
        return covariance
    rest = covariance - np.outer(covariance[place], covariance[place]) / variance
    rest[place, :] = rest[:, place] = 0.0
    return rest
