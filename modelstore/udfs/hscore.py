"""The H-score, with the covariance of the features shrunk."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_groups, as_matrix, centred, scaled, thin_svd


def hscore(features: ArrayLike, labels: ArrayLike) -> float:
    """The H-score: the variance between the class means, in units of the features' own variance.

    Parameters
    ----------
    features : (n, d) array_like of float
        Any scale.
    labels : (n,) array_like of int or str
        The class of each row. Or an (n, labels) array of bool: which labels each row has; the result is then the
        mean over the labels that some rows have and others lack, each with these two classes.

    Returns
    -------
    float
        tr(Σ_α⁻¹ (1 − α) Σ_z), without unit: from 0 to one less than the number of classes. 0 for one class,
        and for constant features.

    Raises
    ------
    ValueError
        No rows, a feature that is not finite, or labels that are missing or not as many as the rows.

    Notes
    -----
    Ibrahim et al., "Newer is not always better: Rethinking transferability metrics, their peculiarities,
    stability and performance", ECML 2022, Eq. 3; the H-score itself is Bao et al., ICIP 2019. Σ_α = (1 − α)
    Σ_f + α tr(Σ_f)/d I, with α of Ledoit & Wolf 2004; Σ_z is the covariance of E[f | y].

    Examples
    --------
    >>> round(hscore([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"]), 4)
    0.9901
    """
    x = as_matrix(features, "features")
    groups = as_groups(labels, len(x))
    rows, width = x.shape
    x = centred(scaled(x))
    left, singular = thin_svd(x)
    if len(singular) == 0:
        return 0.0
    variances = singular**2 / rows
    alpha = _shrinkage(x, variances)
    # In the basis of the singular vectors Σ_α is diagonal, and the class means are those of `left`.
    between = _between(left, groups) * variances
    return float((1 - alpha) * (between / ((1 - alpha) * variances + alpha * variances.sum() / width)).sum())


def _between(left: NDArray[np.float64], groups: NDArray[np.intp] | NDArray[np.bool_]) -> NDArray[np.float64]:
    """The sum over the classes of the squared sum of their rows of `left`, divided by the class's size: (rank,)."""
    if groups.ndim == 2:
        squares, sizes = (groups.T @ left) ** 2, groups.sum(axis=0)[:, None]
        # The columns of `left` sum to zero, so those without the label have the opposite sum.
        return (squares / sizes + squares / (len(left) - sizes)).mean(axis=0)
    sizes = np.bincount(groups)
    sums = np.zeros((len(sizes), left.shape[1]))
    np.add.at(sums, groups, left)
    return (sums**2 / sizes[:, None]).sum(axis=0)


def _shrinkage(x: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Ledoit–Wolf's α for the centred `x`, whose covariance has the eigenvalues `variances` and zeros."""
    rows, width = x.shape
    scatter = (variances**2).sum()
    spread = (scatter - variances.sum() ** 2 / width) / width  # of the eigenvalues about their mean
    noise = (((x**2).sum(axis=1) ** 2).sum() / rows - scatter) / (width * rows)
    return float(np.clip(noise / spread, 0, 1)) if spread > 0 else 0.0
