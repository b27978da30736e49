"""The silhouette coefficient of a clustering."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_classes, as_matrix

BLOCK_CELLS = 4_000_000
ROUNDING = 1e-6  # how far below zero 1 − cosine may come out


def silhouette(distances: ArrayLike, labels: ArrayLike) -> float | None:
    """The silhouette coefficient of a clustering: the mean over members i of (b_i − a_i) / max(a_i, b_i).

    a_i is the mean distance to the other members of its own cluster, b_i the least mean distance to another
    cluster.

    Parameters
    ----------
    distances : (n, n) array_like of float
        Not negative, up to rounding; the diagonal is not used.
    labels : (n,) array_like of int or str
        The cluster of each member.

    Returns
    -------
    float or None
        In [−1, 1]. A member of a singleton counts 0, and so does one with a_i = b_i = 0. None where the
        silhouette is not defined: without members, with fewer than two clusters, or with singletons alone.

    Raises
    ------
    ValueError
        Distances that are not such a matrix, or not finite, or labels that are missing or not as many as the
        rows.

    Notes
    -----
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", J.
    Comput. Appl. Math. 1987.

    Examples
    --------
    >>> points = np.array([0.0, 1.0, 10.0, 11.0])
    >>> round(silhouette(np.abs(points[:, None] - points), [0, 0, 1, 1]), 4)
    0.8997
    """
    if np.size(np.asarray(labels)) == 0:
        return None
    d = as_matrix(distances, "distances")
    rows = len(d)
    if d.shape != (rows, rows) or (d < -ROUNDING).any():
        raise ValueError("distances must be square and non-negative")
    codes, classes = as_classes(labels, rows)
    if classes < 2 or classes == rows:
        return None
    total = 0.0
    step = max(1, BLOCK_CELLS // rows)
    for start in range(0, rows, step):
        members = np.arange(start, min(start + step, rows))
        own, other, _ = mean_distances(d[members], members, codes)
        total += silhouettes(own, other).sum()
    return float(total / rows)


def mean_distances(
    distances: NDArray[Any], members: NDArray[np.intp], codes: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """The mean distances of some of n members from the clusters.

    Parameters
    ----------
    distances : (m, n) ndarray of float
        Of the m ``members`` from all; overwritten.
    members : (m,) ndarray of int
        Their places among the n.
    codes : (n,) ndarray of int
        The clusters of all, 0 … clusters − 1, two or more.

    Returns
    -------
    tuple of (m,) ndarrays
        a_i (NaN in a singleton), b_i, and the cluster that is so near.
    """
    sizes = np.bincount(codes)
    order = np.argsort(codes, kind="stable")
    own = codes[members]
    block = np.arange(len(members))
    np.maximum(distances, 0, out=distances)
    distances[block, members] = 0
    sums = np.add.reduceat(distances[:, order], np.cumsum(sizes) - sizes, axis=1, dtype=np.float64)
    within = np.where(sizes[own] > 1, sums[block, own] / np.maximum(sizes[own] - 1, 1), np.nan)
    means = np.divide(sums, sizes, out=sums)
    means[block, own] = np.inf
    nearest = means.argmin(axis=1)
    return within, means[block, nearest], nearest


def silhouettes(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b_i − a_i) / max(a_i, b_i); 0 where a_i is NaN."""
    greater = np.maximum(own, other)
    return np.divide(other - own, greater, out=np.zeros_like(greater), where=greater > 0)
