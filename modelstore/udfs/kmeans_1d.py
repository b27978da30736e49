"""K-means of numbers on a line, exactly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_vector


def kmeans_1d(values: ArrayLike, clusters: int) -> NDArray[np.intp]:
    """The clustering of numbers on a line with the least squared distance to its cluster means.

    Parameters
    ----------
    values : (n,) array_like of float
        The numbers.
    clusters : int
        How many clusters; one for each distinct value where those are fewer.

    Returns
    -------
    (n,) ndarray of int
        The cluster of each number, from 0, in order of the clusters' means; equal numbers are in one cluster.
        Of equally good clusterings, the one whose upper clusters are the larger.

    Raises
    ------
    ValueError
        A value that is not finite, or clusters < 1.

    Notes
    -----
    Exact, by dynamic programming over the sorted values (Wang & Song, "Ckmeans.1d.dp: Optimal k-means
    Clustering in One Dimension by Dynamic Programming", R Journal 2011), in O(clusters · n²) time and O(n²)
    memory.

    Examples
    --------
    >>> kmeans_1d([0.9, 0.1, 0.5, 0.12], 3).tolist()
    [2, 0, 1, 0]
    """
    x = as_vector(values)
    if not np.isfinite(x).all():
        raise ValueError("values to cluster must be finite")
    if clusters < 1:
        raise ValueError(f"there must be at least one cluster, not {clusters}")
    if x.size == 0:
        return np.empty(0, dtype=np.intp)
    distinct, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    clusters = min(clusters, len(distinct))
    costs = _costs(distinct - x.mean(), counts)
    best = costs[0]  # best[j]: the least cost of distinct[: j + 1] in the clusters so far
    starts = []  # starts[c][j]: where the last of c + 2 clusters begins then
    for _ in range(clusters - 1):
        # The last cluster is i … j, those before it hold 0 … i − 1.
        options = costs + np.concatenate([[np.inf], best[:-1]])[:, None]
        starts.append(options.argmin(axis=0))
        best = options.min(axis=0)
    labels = np.zeros(len(distinct), dtype=np.intp)
    end = len(distinct)
    for cluster in range(clusters - 1, 0, -1):
        start = int(starts[cluster - 1][end - 1])
        labels[start:end] = cluster
        end = start
    return labels[inverse]


def _costs(distinct: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, n): the squared distance of distinct[i … j] to its mean; infinite for i > j."""
    sizes, sums, squares = (
        np.subtract.outer(total[1:], total[:-1]).T
        for total in (
            np.concatenate([[0.0], np.cumsum(terms)])
            for terms in (counts, counts * distinct, counts * distinct**2)
        )
    )
    costs = np.full(sizes.shape, np.inf)
    ordered = np.triu_indices(len(distinct))
    costs[ordered] = np.maximum(squares[ordered] - sums[ordered] ** 2 / sizes[ordered], 0)
    return costs
