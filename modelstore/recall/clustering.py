"""Clusters of models by their similarity (Cui et al., section III)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.agglomeration import agglomerate
from modelstore.recall.distances import CELLS, Distances, OnPairs, search, silent
from modelstore.recall.linkage import KeptDistances, cut

# With more models than this, not all distances are kept: those of 12,000 take 0.6 GB, of which linkage needs a copy.
WHOLE = 12_000
# Where models have more neighbours than this, all distances are sooner computed than they are gathered one by one.
NEIGHBOURS = 200
# Of more than `WHOLE` models, agglomeration from more neighbours than this for each, or in all, takes too much: 40
# million need 3 GB.
MOST_NEIGHBOURS = 400
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

    It is exact unless more than `WHOLE` models have more than `MOST_NEIGHBOURS` others within the threshold: see
    `sampled`.
    """
    near = search(distances, threshold, most_neighbours(len(distances)))
    return agglomerate(distances, near, threshold) if near is not None else dense(distances, threshold)[0]


def most_neighbours(models: int) -> int:
    """How many pairs within the threshold agglomeration starts from; where there are more, `dense` clusters."""
    return NEIGHBOURS * models if models <= WHOLE else min(MOST_NEIGHBOURS * models, EDGES)


def dense(
    distances: Distances, threshold: float, on_pairs: OnPairs = silent
) -> tuple[NDArray[np.intp], Distances]:
    """`hierarchical` for models that have many neighbours, and the distances, kept where that was needed."""
    if len(distances) > WHOLE:
        return sampled(distances, threshold, SAMPLE), distances
    kept = KeptDistances(distances, on_pairs)
    return cut(kept, threshold), kept


def sampled(distances: Distances, threshold: float, size: int) -> NDArray[np.intp]:
    """Average linkage of a sample, which the other models then join: an approximation.

    The sample of ``size`` models is drawn by a fixed seed. Each other model joins the cluster with the least
    mean distance from it, where that is within ``threshold``; those that join none are clustered among
    themselves. Good where clusters are so large that the sample has members of each.
    """
    n = len(distances)
    sample = np.sort(np.random.default_rng(0).choice(n, size, replace=False))
    _, found = np.unique(cut(KeptDistances(distances.take(sample)), threshold), return_inverse=True)
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
