"""LogME, the log of the maximum evidence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import are_label_sets, as_classes, as_label_sets, as_matrix, scaled, singular_projections

RESIDUAL_FLOOR = 1e-8  # of yᵀy: keeps the evidence of a perfect fit by fewer weights than rows finite
STEP = 0.3  # in log(α/β), along which nothing in the evidence changes faster than a logistic function does
BEYOND = 25  # how far past the logarithms of the eigenvalues the best α/β is sought
ZOOMS = 3  # each to a quarter of the step


def logme(features: ArrayLike, labels: ArrayLike, regression: bool = False) -> float:
    """The log of the maximum evidence: of a Bayesian linear model from features to labels, at its best precisions.

    Parameters
    ----------
    features : (n, d) array_like of float
        Any scale (the result does not change with it), not centred.
    labels : (n,) array_like
        Classes, as integers or strings; for a regression, finite floats. Or an (n, labels) array of bool: which
        labels each row has; the result is then the mean over the labels that some rows have and others lack, each
        with these two classes.
    regression : bool
        Whether the labels are the targets of a regression.

    Returns
    -------
    float
        Nats a row, unbounded on either side; comparable between models on one target only. Features that are
        all zero give the evidence of noise alone; a perfect fit, whose evidence is infinite, gives a large
        finite number.

    Raises
    ------
    ValueError
        No rows, a feature or target that is not finite, labels that are missing or not as many as the rows,
        or a regression target that is zero throughout.

    Notes
    -----
    You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", ICML 2021, Eq. 2: y
    ~ N(Fw, 1/β), w ~ N(0, 1/α); for classes, the mean over their columns of zeros and ones. At a given α/β
    the best β has a closed form, so the maximum is sought on a line, after one eigendecomposition for all
    columns. The authors' fixed-point iteration stops short of it where the features' unit is far from 1, or d
    > n. A zero eigenvalue counts log α in the determinant, as in the evidence, also where d > n.

    Examples
    --------
    Features that tell the classes apart have more evidence than features that do not:

    >>> classes = [0, 0, 1, 1]
    >>> apart, mixed = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], [[1.0], [0.0], [1.0], [0.0]]
    >>> logme(apart, classes) > logme(mixed, classes)
    True
    """
    x = as_matrix(features, "features")
    if regression:
        targets = as_matrix(np.atleast_2d(np.asarray(labels)), "the regression target").T
        if len(targets) != len(x):
            raise ValueError(f"there must be one target a row: {len(x)} rows, {len(targets)} targets")
        if not targets.any():
            raise ValueError("a regression target must not be zero throughout")
    elif are_label_sets(labels):
        sets = as_label_sets(labels, len(x))
        targets = np.hstack([sets, ~sets]).astype(np.float64)
    else:
        codes, classes = as_classes(labels, len(x))
        targets = np.equal.outer(codes, np.arange(classes)).astype(np.float64)
    projections, singular = singular_projections(scaled(x), targets)
    return float(_greatest_evidence(singular**2, projections**2, (targets**2).sum(axis=0), len(x)).mean())


def _greatest_evidence(
    eigenvalues: NDArray[np.float64],
    projections: NDArray[np.float64],
    norms: NDArray[np.float64],
    rows: int,
) -> NDArray[np.float64]:
    """The maximum over α and β of log N(y; 0, 1/β + FFᵀ/α) / n for each target y: (targets,).

    eigenvalues: (rank,) of FFᵀ, none zero; projections: (rank, targets) squared, of y on their vectors;
    norms: (targets,), yᵀy.
    """
    # Of y, what no weights reach: nothing where there are vectors enough for any y.
    outside = np.maximum(norms - projections.sum(axis=0), RESIDUAL_FLOOR * norms)
    if len(eigenvalues) == rows:
        outside = np.zeros_like(norms)
    if len(eigenvalues) == 0:
        return _log_density(outside, np.zeros(()), rows)
    logs = np.log(eigenvalues)
    line = np.arange(logs.min() - BEYOND, logs.max() + BEYOND, STEP)
    noise = _noise(eigenvalues, line)
    evidence = _log_density(noise @ projections + outside, np.log(noise).sum(axis=1)[:, None], rows)
    best = evidence.max(axis=0)
    for target, at in enumerate(line[evidence.argmax(axis=0)]):
        for zoom in range(ZOOMS):
            line = at + STEP / 4**zoom * np.linspace(-1, 1, 9)
            noise = _noise(eigenvalues, line)
            evidence = _log_density(
                noise @ projections[:, target] + outside[target], np.log(noise).sum(axis=1), rows
            )
            at, best[target] = line[evidence.argmax()], evidence.max()
    return best


def _noise(eigenvalues: NDArray[np.float64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The noise's share of the variance along each eigenvector, (len(logs), rank), at each log(α/β)."""
    return 1 / (1 + eigenvalues / np.exp(logs)[:, None])


def _log_density(
    quadratic: NDArray[np.float64], determinant: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """log N / n at the best β, n / quadratic, of yᵀ(1 + FFᵀβ/α)⁻¹y and the log determinant of that inverse."""
    return 0.5 * (np.log(rows / (2 * np.pi * quadratic)) - 1 + determinant / rows)
