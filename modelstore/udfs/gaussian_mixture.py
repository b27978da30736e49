"""A Gaussian mixture with diagonal covariances, fitted by expectation-maximisation.

This stands in the place of scikit-learn's `GaussianMixture`, whose import takes another second, for its
answers: they do not change with the unit of the points, exist for fewer distinct points than components, and
can be interrupted. NLEEP of 2,000 rows by 768 features (one core; mean of three seeds) is not equal by
scikit-learn's, which starts elsewhere, so that scores on record would not compare with new ones:

| classes | components | NLEEP | by scikit-learn | ms | by scikit-learn |
| --- | --- | --- | --- | --- | --- |
| 2 | 10 | −0.684 ± 0.003 | −0.676 ± 0.007 | 583 | 681 |
| 20 | 100 | −2.573 ± 0.014 | −2.501 ± 0.010 | 1,793 | 1,258 |
| 77 | 200 | −2.789 ± 0.051 | −2.622 ± 0.045 | 2,699 | 889 |
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelstore.interruption import check

from .arrays import as_matrix, centred

ITERATIONS = 100
TOLERANCE = 1e-3  # in mean log-likelihood, nats a row
VARIANCE_FLOOR = 1e-6  # of the points' mean variance, so that no component collapses onto one point
LLOYD_ITERATIONS = 10


def gaussian_mixture(points: ArrayLike, components: int, seed: int = 0) -> NDArray[np.float64]:
    """The posterior P(component | point) of a Gaussian mixture with diagonal covariances, fitted to the points.

    Parameters
    ----------
    points : (n, p) array_like of float
        Any scale: the result does not change with it.
    components : int
        How many components; one for each distinct point where those are fewer.
    seed : int
        Of the start; the same seed gives the same result.

    Returns
    -------
    (n, components) ndarray of float
        Rows sum to 1. A column of ones where all points are the same.

    Raises
    ------
    ValueError
        No points, one that is not finite, or fewer than 1 component.

    Notes
    -----
    Expectation-maximisation (Dempster, Laird & Rubin, J. R. Statist. Soc. B 1977), the likelihood summed in
    logarithms, from k-means++ (Arthur & Vassilvitskii, SODA 2007) and a few of Lloyd's iterations.

    Examples
    --------
    >>> gaussian_mixture([[0.0], [0.1], [9.0], [9.1]], 2).argmax(axis=1).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """
    x = as_matrix(points, "points")
    if components < 1:
        raise ValueError(f"a mixture needs at least one component, not {components}")
    x = centred(x)
    floor = VARIANCE_FLOOR * x.var(axis=0).mean()
    if floor == 0:
        return np.ones((len(x), 1))
    posterior = _k_means(x, components, np.random.default_rng(seed))
    squares = x**2
    last = -np.inf
    for _ in range(ITERATIONS):
        check()
        sizes = posterior.sum(axis=0) + 10 * np.finfo(float).eps
        means = posterior.T @ x / sizes[:, None]
        variances = np.maximum(posterior.T @ squares / sizes[:, None] - means**2, 0) + floor
        precision = 1 / variances
        log_density = -0.5 * (
            squares @ precision.T
            - 2 * x @ (means * precision).T
            + (means**2 * precision).sum(axis=1)
            + np.log(2 * np.pi * variances).sum(axis=1)
        )
        joint = log_density + np.log(sizes / len(x))
        top = joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint - top)
        total = posterior.sum(axis=1, keepdims=True)
        posterior /= total
        likelihood = float((np.log(total) + top).mean())
        if abs(likelihood - last) < TOLERANCE:
            break
        last = likelihood
    return posterior


def _k_means(x: NDArray[np.float64], clusters: int, random: np.random.Generator) -> NDArray[np.float64]:
    """One-hot (n, clusters) memberships."""
    centres = [x[random.integers(len(x))]]
    nearest = ((x - centres[0]) ** 2).sum(axis=1)
    while len(centres) < clusters and nearest.max() > 0:
        centres.append(x[random.choice(len(x), p=nearest / nearest.sum())])
        nearest = np.minimum(nearest, ((x - centres[-1]) ** 2).sum(axis=1))
    means = np.stack(centres)
    for _ in range(LLOYD_ITERATIONS):
        members = np.eye(len(means))[((means**2).sum(axis=1) - 2 * x @ means.T).argmin(axis=1)]
        sizes = members.sum(axis=0)[:, None]
        means = np.where(sizes > 0, members.T @ x / np.maximum(sizes, 1), means)
    return members
