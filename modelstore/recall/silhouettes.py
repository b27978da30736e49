"""The silhouettes of many models, from distances that are computed as they are needed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.distances import CELLS, Distances
from modelstore.udfs.silhouette import mean_distances, silhouettes

PAIRS = 100_000_000


@dataclass(frozen=True)
class Separation:
    """How far n models are from clusters, each (n,).

    ``own`` is the mean distance to the other members of a model's cluster, NaN for a singleton; ``other`` is
    the mean distance to the nearest other cluster, and ``nearest`` the number of that cluster.
    """

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    nearest: NDArray[np.intp]

    @staticmethod
    def unknown(n: int) -> "Separation":
        """One in which nothing is measured yet."""
        return Separation(np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1))

    def measure(self, distances: Distances, codes: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Fills in some ``rows``; ``codes`` (n,) are the clusters from 0, of which there are two or more."""
        everyone = np.arange(len(codes))
        step = max(1, CELLS // len(codes))
        for start in range(0, len(rows), step):
            check()
            block = rows[start : start + step]
            found = mean_distances(distances.between(block, everyone, np.float32), block, codes)
            self.own[block], self.other[block], self.nearest[block] = found


def judged(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """The models, in order, whose silhouettes make the mean: members of clusters of two or more.

    All of them where that takes no more than `PAIRS` distances, as it does for up to 10,000 models; otherwise
    a sample, drawn by a fixed seed: 1,000 of 100,000 models give the mean to about ± 0.01.
    """
    members = np.flatnonzero(np.bincount(codes)[codes] > 1)
    most = max(1, PAIRS // max(1, len(codes)))
    if len(members) > most:
        members = np.sort(np.random.default_rng(0).choice(members, most, replace=False))
    return members


def mean_silhouette(codes: NDArray[np.intp], separation: Separation) -> float | None:
    """The silhouette of a clustering whose `judged` models are measured; singletons count 0.

    None where it is not defined: for fewer than two clusters, and for singletons alone.
    """
    sizes = np.bincount(codes)
    if len(sizes) < 2 or len(sizes) == len(codes):
        return None
    rows = judged(codes)
    share = (sizes[codes] > 1).mean()
    return float(share * silhouettes(separation.own[rows], separation.other[rows]).mean())


def silhouette_of(distances: Distances, labels: NDArray) -> float | None:
    """The silhouette of a clustering, as `mean_silhouette`."""
    codes = np.unique(labels, return_inverse=True)[1]
    separation = Separation.unknown(len(codes))
    if codes.max(initial=0) > 0:
        separation.measure(distances, codes, judged(codes))
    return mean_silhouette(codes, separation)
