"""NLEEP: LEEP for a model that has features but no classification head."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_classes, as_matrix, centred, scaled, thin_svd
from .gaussian_mixture import gaussian_mixture
from .leep import leep

VARIANCE_KEPT = 0.8
COMPONENTS_PER_CLASS = 5
ROWS_PER_COMPONENT = 10


def nleep(features: ArrayLike, labels: ArrayLike, seed: int = 0) -> float:
    """`leep` with the components of a Gaussian mixture on the features in place of the source classes.

    Li et al., "Ranking Neural Checkpoints", CVPR 2021: principal components holding 80 % of the variance,
    then 5 components for each target class. Here they are at most one for every 10 rows (at least 2): with
    fewer rows each, a mixture singles rows out, and any features at all would score near 0. Covariances are
    diagonal.

    features: (n, d), any scale (the result does not change with it). labels: (n,) integers or strings. In
    nats a row, at most 0. The same seed gives the same result. One class: 0. Constant features: minus the
    entropy of the labels. ValueError: no rows, a non-finite feature, labels missing or not as many as the
    rows.
    """
    x = as_matrix(features, "features")
    codes, classes = as_classes(labels, len(x))
    if classes == 1:
        return 0.0
    components = min(COMPONENTS_PER_CLASS * classes, max(2, len(x) // ROWS_PER_COMPONENT))
    return leep(gaussian_mixture(_principal_components(x), components, seed), codes)


def _principal_components(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """`x` on its leading axes, as few as hold more than VARIANCE_KEPT of the variance."""
    x = centred(scaled(x))
    left, singular = thin_svd(x)
    if len(singular) == 0:
        return x[:, :1]
    share = np.cumsum(singular**2)
    kept = int(np.searchsorted(share, VARIANCE_KEPT * share[-1], side="right")) + 1
    return left[:, :kept] * singular[:kept]
