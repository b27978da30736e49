"""Average linkage by SciPy, from all distances in float64: what clusterings are compared with."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from modelstore.recall.distances import Distances


def linked(distances: Distances, threshold: float) -> np.ndarray:
    """The label of each model, (n,)."""
    everyone = np.arange(len(distances))
    if len(everyone) < 2:
        return np.zeros(len(everyone), np.intp)
    square = distances.between(everyone, everyone)
    np.fill_diagonal(square, 0.0)
    return fcluster(linkage(squareform(square, checks=False), "average"), threshold, "distance")


def groups(labels: np.ndarray) -> set[frozenset[int]]:
    """A clustering without its numbers."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}
