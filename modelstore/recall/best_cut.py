"""The threshold at which a dendrogram is best cut, by silhouette."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.distances import FAR, Distances
from modelstore.recall.linkage import KeptDistances, Merges, dendrogram
from modelstore.udfs.silhouette import silhouettes

# Of more models than this, a sample is clustered to find the threshold.
MODELS = 2_000
# All cuts into so many clusters or fewer are tried, and of the others those of a tenth more clusters each.
CLUSTERS, MORE = 64, 1.1
# A cut that leaves a greater share of the models in one cluster tells a few outliers from the rest.
LARGEST = 0.9


@dataclass(frozen=True)
class BestCut:
    """The ``threshold`` of the greatest mean ``silhouette``, of so many ``cuts`` of so many ``models``."""

    threshold: float
    silhouette: float
    cuts: int
    models: int


def find_best_cut(distances: Distances) -> BestCut | None:
    """The cut of average linkage with the greatest mean silhouette, where singletons count 0.

    Cuts that leave more than nine in ten models in one cluster come last: on real matrices they have the greatest
    silhouettes of all, for they set a few outliers apart.

    Parameters
    ----------
    distances
        The distances between n models; of more than `MODELS`, a sample drawn by a fixed seed is clustered.

    Returns
    -------
    BestCut or None
        None where no cut has a silhouette: for fewer than three models, and for models that are all alike.

    Notes
    -----
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", J. Comput.
    Appl. Math. 1987.
    """
    n = len(distances)
    if n < 3:
        return None
    if n > MODELS:
        distances = distances.take(np.sort(np.random.default_rng(0).choice(n, MODELS, replace=False)))
    kept = KeptDistances(distances)
    merges = dendrogram(kept)
    merges = Merges(merges.models, *_by_height(merges))
    tried = [(*found, _threshold(merges.height, done)) for done, found in _judged(kept, merges)]
    if not tried:
        return None
    fitting = [cut for cut in tried if cut[1] <= LARGEST * len(distances)] or tried
    silhouette, _, threshold = max(fitting, key=lambda cut: cut[0])
    return BestCut(threshold, silhouette, len(tried), len(distances))


def _by_height(merges: Merges) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    order = np.argsort(merges.height, kind="stable")
    return merges.left[order], merges.right[order], merges.height[order]


def _judged(kept: KeptDistances, merges: Merges) -> Iterator[tuple[int, tuple[float, int]]]:
    """Yields some cuts, by how many mergers come before: the mean silhouette, and the size of the largest cluster."""
    n = merges.models
    cuts = _cuts(merges.height, n)
    sums = kept.square.astype(np.float64)  # of the distances of each cluster's members from each model
    np.fill_diagonal(sums, 0.0)
    size, cluster, everyone = np.ones(n), np.arange(n), np.arange(n)
    alive = np.ones(n, dtype=bool)
    for done, (one, other) in enumerate(zip(merges.left.tolist(), merges.right.tolist(), strict=True), 1):
        sums[one] += sums[other]
        size[one] += size[other]
        cluster[cluster == other] = one
        alive[other] = False
        if done not in cuts:
            continue
        check()
        means = sums[alive] / size[alive, None]
        place = (np.cumsum(alive) - 1)[cluster]
        means[place, everyone] = np.inf
        others = size[cluster] - 1
        own = np.divide(sums[cluster, everyone], others, out=np.full(n, np.nan), where=others > 0)
        yield done, (float(silhouettes(own, means.min(axis=0)).mean()), int(size[alive].max()))


def _cuts(heights: NDArray[np.float64], models: int) -> set[int]:
    """After how many mergers to cut: where two heights differ, and models without a common dataset are apart."""
    clear = heights[1:] - heights[:-1] > 1e-6 * heights[1:]
    possible = 1 + np.flatnonzero(clear & (heights[:-1] < FAR / models**2))
    clusters = models - possible
    few = possible[clusters <= CLUSTERS]
    steps = (np.log(np.maximum(clusters, 1)) / np.log(MORE)).astype(int)
    _, first = np.unique(steps, return_index=True)
    return {*few.tolist(), *possible[first].tolist()}


def _threshold(heights: NDArray[np.float64], done: int) -> float:
    """A short number between the last height of a cut and the next."""
    low, high = heights[done - 1 : done + 1].tolist()
    if high >= FAR / len(heights) ** 2:
        high = 2 * low
    middle = (low + high) / 2
    for digits in range(1, 17):
        rounded = float(f"{middle:.{digits}g}")
        if abs(rounded - middle) <= (high - low) / 4:
            return rounded
    return middle
