"""Clusters of models by their similarity (Cui et al., section III)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.agglomeration import agglomerate
from modelstore.recall.distances import CELLS, Distances, Edges, search

# With more models than this, not all distances are kept: those of 12,000 take 0.6 GB, which linkage copies.
WHOLE = 12_000
# Agglomeration from more neighbours than this for each model, or in all, takes too much: 40 million need 3 GB.
NEIGHBOURS = 400
EDGES = 40_000_000
SAMPLE = 6_000


@dataclass(frozen=True)
class Clustering:
    """``labels`` (models,) from 1, the largest cluster first; ``representatives`` (models,) are row numbers."""

    labels: np.ndarray
    representatives: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """The number of models in each cluster: (clusters,)."""
        return np.bincount(self.labels)[1:]


def hierarchical(distances: Distances, threshold: float) -> NDArray[np.intp]:
    """Agglomerative clustering with average linkage, cut at ``threshold``: the label of each model, (n,).

    It is exact unless more than `WHOLE` models have more than `NEIGHBOURS` others within the threshold: see
    `sampled`.
    """
    return from_neighbours(
        distances, search(distances, threshold, most_neighbours(len(distances))), threshold
    )


def most_neighbours(models: int) -> int:
    """How many pairs within the threshold agglomeration can start from."""
    return min(NEIGHBOURS * models, EDGES)


def from_neighbours(distances: Distances, near: Edges | None, threshold: float) -> NDArray[np.intp]:
    """`hierarchical` from all pairs within the threshold, or None where they are too many."""
    if near is not None:
        return agglomerate(distances, near, threshold)
    n = len(distances)
    return linked(distances, threshold) if n <= WHOLE else sampled(distances, threshold, SAMPLE)


def linked(distances: Distances, threshold: float) -> NDArray[np.intp]:
    """Average linkage from all n(n − 1)/2 distances, which take 16 bytes each."""
    from scipy.cluster.hierarchy import fcluster, linkage

    n = len(distances)
    if n < 2:
        return np.zeros(n, np.intp)
    condensed = np.empty(n * (n - 1) // 2)
    position = 0
    step = max(1, CELLS // n)
    for start in range(0, n, step):
        check()
        rows = np.arange(start, min(start + step, n))
        block = distances.between(rows, np.arange(start, n))
        for number, row in enumerate(block, 1):
            condensed[position : position + n - start - number] = row[number:]
            position += n - start - number
    return fcluster(linkage(condensed, method="average"), t=threshold, criterion="distance").astype(np.intp)


def sampled(distances: Distances, threshold: float, size: int) -> NDArray[np.intp]:
    """Average linkage of a sample, which the other models then join: an approximation.

    The sample of ``size`` models is drawn by a fixed seed. Each other model joins the cluster with the least
    mean distance from it, where that is within ``threshold``; those that join none are clustered among
    themselves. Good where clusters are so large that the sample has members of each.
    """
    n = len(distances)
    sample = np.sort(np.random.default_rng(0).choice(n, size, replace=False))
    _, found = np.unique(linked(distances.take(sample), threshold), return_inverse=True)
    order = np.argsort(found, kind="stable")
    sizes = np.bincount(found)
    starts = np.cumsum(sizes) - sizes
    labels = np.full(n, -1, np.intp)
    labels[sample] = found
    others = np.flatnonzero(labels < 0)
    step = max(1, CELLS // size)
    for start in range(0, len(others), step):
        check()
        rows = others[start : start + step]
        means = np.add.reduceat(distances.between(rows, sample[order], np.float32), starts, axis=1) / sizes
        nearest = means.argmin(axis=1)
        near = means[np.arange(len(rows)), nearest] <= threshold
        labels[rows[near]] = nearest[near]
    left = np.flatnonzero(labels < 0)
    if len(left):
        labels[left] = len(sizes) + hierarchical(distances.take(left), threshold)
    return labels


def kmeans(scores: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """K-means of the rows of ``scores`` (models, datasets), missing cells `filled`: the label of each model."""
    from sklearn.cluster import KMeans

    points = filled(scores)
    distinct = len(np.unique(points, axis=0))  # more clusters than that there cannot be
    return KMeans(n_clusters=min(clusters, distinct), n_init=10, random_state=seed).fit_predict(points)


def filled(scores: np.ndarray) -> np.ndarray:
    """The matrix with each missing cell replaced by its dataset's mean."""
    known = np.isfinite(scores)
    means = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, scores, means)


def summarise(labels: np.ndarray, mean_scores: np.ndarray) -> Clustering:
    """Numbers the clusters by size, and finds each one's representative: its model with the highest mean score."""
    _, compact = np.unique(labels, return_inverse=True)
    sizes = np.bincount(compact)
    first = np.full(len(sizes), len(compact))
    np.minimum.at(first, compact, np.arange(len(compact)))
    order = np.lexsort((first, -sizes))
    number = np.empty(len(sizes), dtype=int)
    number[order] = np.arange(1, len(sizes) + 1)

    by_score = np.argsort(-np.nan_to_num(mean_scores, nan=-np.inf), kind="stable")
    best = np.empty(len(sizes), dtype=int)
    best[compact[by_score[::-1]]] = by_score[::-1]  # the last one written is the highest
    return Clustering(number[compact], best[compact])
