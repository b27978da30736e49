"""NLEEP: LEEP for a model that has features but no classification head."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_groups, as_matrix, centred, scaled, thin_svd
from .gaussian_mixture import gaussian_mixture
from .leep import leep

VARIANCE_KEPT = 0.8
COMPONENTS_PER_CLASS = 5
ROWS_PER_COMPONENT = 10


def nleep(features: ArrayLike, labels: ArrayLike, seed: int = 0) -> float:
    """`leep` with the components of a Gaussian mixture on the features in place of source classes.

    Parameters
    ----------
    features : (n, d) array_like of float
        Any scale: the result does not change with it.
    labels : (n,) array_like of int or str
        The target class of each row. Or an (n, labels) array of bool: which labels each row has; the result is
        then the mean over the labels that some rows have and others lack, each with these two classes.
    seed : int
        Of the mixture; the same seed gives the same result.

    Returns
    -------
    float
        Nats a row, at most 0. 0 for one class; minus the entropy of the labels for constant features.

    Raises
    ------
    ValueError
        No rows, a feature that is not finite, or labels that are missing or not as many as the rows.

    Notes
    -----
    Li et al., "Ranking Neural Checkpoints", CVPR 2021: principal components that hold 80 % of the variance,
    then 5 mixture components for each target class. Here there is at most one component for every 10 rows,
    and at least 2: with fewer rows each, a mixture singles rows out, and any features at all would score near
    0. Covariances are diagonal.

    Examples
    --------
    >>> features = [[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]]
    >>> round(nleep(features, ["a", "a", "a", "b", "b", "b"]), 4) + 0.0
    0.0
    >>> round(nleep(features, ["a", "b", "a", "b", "a", "b"]), 2)
    -0.64
    """
    x = as_matrix(features, "features")
    groups = as_groups(labels, len(x))
    classes = 2 if groups.ndim == 2 else int(groups.max()) + 1
    if classes == 1:
        return 0.0
    components = min(COMPONENTS_PER_CLASS * classes, max(2, len(x) // ROWS_PER_COMPONENT))
    return leep(gaussian_mixture(_principal_components(x), components, seed), groups)


def _principal_components(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """`x` on its leading axes, as few as hold more than VARIANCE_KEPT of the variance."""
    x = centred(scaled(x))
    left, singular = thin_svd(x)
    if len(singular) == 0:
        return x[:, :1]
    share = np.cumsum(singular**2)
    kept = int(np.searchsorted(share, VARIANCE_KEPT * share[-1], side="right")) + 1
    return left[:, :kept] * singular[:kept]
