"""Which datasets say most of the others: principal variables of the matrix of results."""

import numpy as np
from numpy.typing import NDArray

from modelstore.recall.priors import standardise

Floats = NDArray[np.float64]
_FLOOR = 0.01
_LEAST = 1e-9  # of the variance: less is rounding


def correlations(scores: Floats) -> Floats:
    """How far results on two datasets go together, over the models that have both: (datasets, datasets).

    r(i, j) = Σ z_i z_j / √((Σ z_i² + 1) (Σ z_j² + 1)) over the common models, z being the standardised scores: drawn
    to 0 as if one more model had said nothing; 1 on the diagonal. Missing cells may make such a matrix indefinite:
    its eigenvalues are then raised to 0.01, since no dataset foretells another wholly, and its diagonal made 1 again.
    """
    z = standardise(scores)
    known = np.isfinite(z).astype(float)
    filled = np.nan_to_num(z)
    squares = (filled**2).T @ known + 1  # of i, over the models that j has too
    found = filled.T @ filled / np.sqrt(squares * squares.T)
    np.fill_diagonal(found, 1.0)
    values, vectors = np.linalg.eigh(found)
    if values.min(initial=1.0) < _FLOOR:
        found = (vectors * np.maximum(values, _FLOOR)) @ vectors.T
        scale = np.sqrt(np.diag(found))
        found /= scale[:, None] * scale
    return found


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
