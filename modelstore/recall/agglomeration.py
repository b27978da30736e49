"""Average linkage of many models, exact up to a threshold, from the pairs within it alone."""

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.distances import Distances, Edges

PAIRS = 1 << 20  # distances computed at a time


def agglomerate(distances: Distances, edges: Edges, threshold: float) -> NDArray[np.intp]:
    """Average linkage, cut at a threshold.

    Parameters
    ----------
    distances
        The distances between n models.
    edges
        All pairs of models at ``threshold`` or less.
    threshold
        The greatest mean distance at which two clusters are merged.

    Returns
    -------
    (n,) ndarray of int
        For each model the number of one member of its cluster.

    Notes
    -----
    Each round merges all pairs of reciprocal nearest neighbours at once. Average linkage is reducible, so
    that this gives the clusters that merging one pair after another does (Sumengen et al., "Scaling
    Hierarchical Agglomerative Clustering to Billion-sized Datasets", 2021). The edges suffice: a mean of at
    most ``threshold`` is over at least one distance of at most ``threshold``, so two clusters that near had,
    before each merge, an edge between parts of them. The distances that an edge does not cover are computed
    when it needs them. The memory is that of the edges, which never grow in number.
    """
    n = len(distances)
    cluster = np.arange(n)
    size = np.ones(n, np.int64)
    while len(edges):
        check()
        nearest = np.full(n, np.inf)
        np.minimum.at(nearest, edges.left, edges.mean)
        np.minimum.at(nearest, edges.right, edges.mean)
        # A cluster with no other within the threshold is final: no merger of others comes nearer to it.
        alive = nearest <= threshold
        edges = edges[alive[edges.left] & alive[edges.right]]
        into, merged = _reciprocal(edges, nearest)
        edges = _merge(distances, edges, into, merged, cluster, size, threshold)
        target = np.arange(n)
        target[merged] = into
        cluster = target[cluster]
        size[into] += size[merged]
        size[merged] = 0
    return cluster


def _reciprocal(edges: Edges, nearest: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The pairs of clusters that are each other's nearest; the first of several that are equally near."""
    near = edges[np.flatnonzero(edges.mean == nearest[edges.left])]
    near = near[near.mean == nearest[near.right]]
    near = near[np.lexsort((near.right, near.left, near.mean))]
    left, right = near.left, near.right
    first = np.full(len(nearest), len(left))
    places = np.arange(len(left))
    np.minimum.at(first, left, places)
    np.minimum.at(first, right, places)
    chosen = (first[left] == places) & (first[right] == places)
    return left[chosen], right[chosen]


def _merge(
    distances: Distances,
    edges: Edges,
    into: NDArray[np.int32],
    merged: NDArray[np.int32],
    cluster: NDArray[np.intp],
    size: NDArray[np.int64],
    threshold: float,
) -> Edges:
    """The edges after each cluster of ``merged`` joins its ``into``; ``cluster`` and ``size`` are those before it."""
    n = len(size)
    target = np.arange(n, dtype=np.int32)
    target[merged] = into
    other = np.full(n, -1, np.int32)
    other[into] = merged
    changes = np.zeros(n, dtype=bool)
    changes[into] = changes[merged] = True
    touched = changes[edges.left] | changes[edges.right]
    untouched, parts = edges[~touched], edges[touched]

    ones, twos = target[parts.left], target[parts.right]
    apart = ones != twos
    parts, ones, twos = parts[apart], ones[apart], twos[apart]
    if not len(parts):
        return untouched
    left, right = np.minimum(ones, twos), np.maximum(ones, twos)
    swapped = ones != left
    # Up to four pairs of old clusters lie between two new ones: the number of the pair that each part is.
    one_merged, two_merged = parts.left != ones, parts.right != twos
    which = np.where(swapped, 2 * two_merged + one_merged, 2 * one_merged + two_merged)
    known = size[parts.left] * size[parts.right]
    key = left.astype(np.int64) * n + right
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    left, right = left[order[starts]], right[order[starts]]
    total = np.add.reduceat((parts.mean * known)[order], starts)
    known = np.add.reduceat(known[order], starts)
    present = np.bitwise_or.reduceat(np.left_shift(1, which)[order], starts)

    whole = size.copy()
    whole[into] += size[merged]
    # Distances that an edge does not cover are above the threshold; where those it covers are too, so is the edge.
    lacking = known < whole[left] * whole[right]
    kept = ~lacking | (total <= threshold * known)
    left, right, total, lacking, present = left[kept], right[kept], total[kept], lacking[kept], present[kept]
    incomplete = np.flatnonzero(lacking)
    for place in range(4):
        edge = incomplete[present[incomplete] & (1 << place) == 0]
        ones = other[left[edge]] if place & 2 else left[edge]
        twos = other[right[edge]] if place & 1 else right[edge]
        exist = (ones >= 0) & (twos >= 0)
        total[edge[exist]] += _sums(distances, ones[exist], twos[exist], cluster, size)
    return Edges(
        np.concatenate([untouched.left, left]),
        np.concatenate([untouched.right, right]),
        np.concatenate([untouched.mean, total / (whole[left] * whole[right])]),
    )


def _sums(
    distances: Distances,
    ones: NDArray[np.int32],
    twos: NDArray[np.int32],
    cluster: NDArray[np.intp],
    size: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The sum of the distances between the members of each pair of clusters."""
    members = np.argsort(cluster, kind="stable")
    first = np.cumsum(size) - size
    ends = np.cumsum(size[ones] * size[twos])
    sums = np.zeros(len(ones))
    for start in range(0, int(ends[-1]) if len(ends) else 0, PAIRS):
        check()
        places = np.arange(start, min(start + PAIRS, int(ends[-1])))
        block = np.searchsorted(ends, places, side="right")
        one, two = ones[block], twos[block]
        within = places - (ends[block] - size[one] * size[two])
        apart = distances.pairs(
            members[first[one] + within // size[two]], members[first[two] + within % size[two]]
        )
        sums += np.bincount(block, apart, len(ones))
    return sums
