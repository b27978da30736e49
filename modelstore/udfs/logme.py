"""LogME, the log of the maximum evidence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_classes, as_matrix, thin_svd

ITERATIONS = 100
TOLERANCE = 1e-3  # relative, in α/β: the authors' own
RESIDUAL_FLOOR = 1e-8  # of yᵀy: keeps the evidence of a perfect fit finite


def logme(features: ArrayLike, labels: ArrayLike, regression: bool = False) -> float:
    """The log evidence a row of a Bayesian linear model from features to labels, at its best precisions.

    You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", ICML 2021, Eq. 2,
    by the fixed-point iteration of the journal version ("Ranking and Tuning Pre-trained Models", JMLR 2022),
    after one singular value decomposition. y ~ N(Fw, 1/β), w ~ N(0, 1/α); for classes, the mean over their
    columns of zeros and ones. A zero eigenvalue counts log α in the determinant, as the evidence has it, also
    where d > n.

    features: (n, d), not centred. labels: (n,) integers or strings, or, for a regression, finite floats. In
    nats a row, unbounded on either side; comparable between models on one target only.

    Features that are all zero: the evidence of noise alone. A perfect fit (one class and a constant feature,
    say), whose evidence is infinite: a large finite number. ValueError: no rows, a non-finite feature or
    target, labels missing or not as many as the rows, a regression target that is zero throughout.
    """
    x = as_matrix(features, "features")
    if regression:
        targets = as_matrix(np.atleast_2d(np.asarray(labels)), "the regression target").T
        if len(targets) != len(x):
            raise ValueError(f"there must be one target a row: {len(x)} rows, {len(targets)} targets")
        if not targets.any():
            raise ValueError("a regression target must not be zero throughout")
    else:
        codes, classes = as_classes(labels, len(x))
        targets = np.equal.outer(codes, np.arange(classes)).astype(np.float64)
    left, singular = thin_svd(x)
    projections = (left.T @ targets) ** 2
    return float(
        np.mean(
            [
                _evidence(singular**2, projection, norm, len(x))
                for projection, norm in zip(projections.T, (targets**2).sum(axis=0), strict=True)
            ]
        )
    )


def _evidence(
    eigenvalues: NDArray[np.float64], projection: NDArray[np.float64], norm: float, rows: int
) -> float:
    """The maximum over α and β of log N(y; 0, 1/β + FFᵀ/α) / n.

    eigenvalues: (rank,) of FFᵀ, none zero; projection: (rank,) squared, of y on their vectors; norm: yᵀy.
    """
    outside = max(norm - projection.sum(), 0.0)  # of y, what no weights can reach
    floor = RESIDUAL_FLOOR * norm
    ratio = 1.0  # α/β
    for _ in range(ITERATIONS):
        weights = (eigenvalues * projection / (ratio + eigenvalues) ** 2).sum()  # |E w|²
        residual = (projection * (ratio / (ratio + eigenvalues)) ** 2).sum() + outside
        alpha = (eigenvalues / (ratio + eigenvalues)).sum() / (weights + floor)
        # n − γ, summed so that it stays above 0 where γ comes near n.
        beta = (rows - len(eigenvalues) + (ratio / (ratio + eigenvalues)).sum()) / (residual + floor)
        last, ratio = ratio, alpha / beta
        if abs(ratio - last) <= TOLERANCE * last:
            break
    weights = (eigenvalues * projection / (ratio + eigenvalues) ** 2).sum()
    residual = (projection * (ratio / (ratio + eigenvalues)) ** 2).sum() + outside
    log_evidence = 0.5 * (
        rows * np.log(beta / (2 * np.pi))
        - np.log1p(eigenvalues / ratio).sum()
        - beta * residual
        - alpha * weights
    )
    return float(log_evidence / rows)
