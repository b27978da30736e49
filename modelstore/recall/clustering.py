"""Clustering of models by their similarity (design of the paper's section III)."""

from dataclasses import dataclass

import numpy as np

from modelstore.udfs.silhouette import silhouette


@dataclass(frozen=True)
class Clustering:
    """``labels`` by model (from 1, largest cluster first); ``representatives`` holds row numbers by model."""

    labels: np.ndarray
    representatives: np.ndarray
    silhouette: float | None

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.labels)[1:]


def distances_of(similarity: np.ndarray) -> np.ndarray:
    """1 − sim, shape (n, n), with a large finite distance where the similarity is unknown.

    The distance is so large that a pair without a common dataset is never merged: any average over it
    stays above every threshold that means something.
    """
    distances = np.maximum(1.0 - similarity, 0.0)  # a cosine of rounded vectors may pass 1
    known = distances[np.isfinite(distances)]
    far = 1e6 * max(1.0, float(known.max(initial=0.0)))
    distances = np.where(np.isfinite(distances), distances, far)
    np.fill_diagonal(distances, 0.0)
    return distances


def hierarchical(distances: np.ndarray, threshold: float) -> np.ndarray:
    """Agglomerative clustering with average linkage, cut at ``threshold``: a label by row."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(distances) < 2:
        return np.ones(len(distances), dtype=int)
    tree = linkage(squareform(distances, checks=False), method="average")
    return np.asarray(fcluster(tree, t=threshold, criterion="distance"))


def kmeans(scores: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """K-means on vec(m), a missing cell filled by its dataset's mean: a label by row."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=min(clusters, len(scores)), n_init=10, random_state=seed).fit_predict(
        filled(scores)
    )


def filled(scores: np.ndarray) -> np.ndarray:
    """The matrix with each missing cell replaced by its dataset's mean."""
    known = np.isfinite(scores)
    means = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, scores, means)


def summarise(labels: np.ndarray, mean_scores: np.ndarray, distances: np.ndarray) -> Clustering:
    """Numbers the clusters by size and names each one's representative: its model of highest mean score."""
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
    return Clustering(number[compact], best[compact], silhouette(distances, compact))
