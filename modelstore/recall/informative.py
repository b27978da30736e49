"""Which datasets say most of the others: principal variables of the matrix of results."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST = 1e-9  # of the variance: less is rounding


def most_informative(
    correlation: Floats, count: int, known: list[int] | None = None
) -> list[tuple[int, float]]:
    """Up to ``count`` datasets, the most telling first, each with its gain.

    The gain is the share of the variance over all datasets that a result on this one explains beside those before it
    and the ``known``: Σ_i Cov(i, j | chosen)² / Var(j | chosen) / datasets, as in Gaussian conditioning. Greedy
    selection of principal variables (McCabe, Technometrics 1984, the trace criterion). The gains of all sum to 1,
    with those of the known; ties go to the first. A dataset that the chosen ones foretell wholly is left out.
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
        # Equal but for rounding is equal, so that the order does not hang on the processor.
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
