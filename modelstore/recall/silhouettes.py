"""How well many models are clustered: their silhouettes, from distances computed where they are needed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.distances import CELLS, Distances
from modelstore.udfs.silhouette import mean_distances, silhouettes

PAIRS = 100_000_000


@dataclass(frozen=True)
class Separation:
    """Of each of n models, the mean distance to the others of its cluster (``own``, NaN of one alone) and to the
    nearest other cluster (``other``), and which that is (``nearest``)."""

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    nearest: NDArray[np.intp]

    @staticmethod
    def unknown(n: int) -> "Separation":
        return Separation(np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1))

    def measure(self, distances: Distances, codes: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Fills in some ``rows`` of two clusters or more, ``codes`` (n,) from 0."""
        everyone = np.arange(len(codes))
        step = max(1, CELLS // len(codes))
        for start in range(0, len(rows), step):
            check()
            block = rows[start : start + step]
            found = mean_distances(distances.between(block, everyone, np.float32), block, codes)
            self.own[block], self.other[block], self.nearest[block] = found


def judged(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """The models whose silhouettes stand for all, in order: those of clusters of two or more.

    All of them where that takes no more than `PAIRS` distances (up to 10,000 models always); of more, as many as that
    allows are drawn by a fixed seed: 1,000 of 100,000 models give the mean to about ± 0.01.
    """
    members = np.flatnonzero(np.bincount(codes)[codes] > 1)
    most = max(1, PAIRS // max(1, len(codes)))
    if len(members) > most:
        members = np.sort(np.random.default_rng(0).choice(members, most, replace=False))
    return members


def mean_silhouette(codes: NDArray[np.intp], separation: Separation) -> float | None:
    """The silhouette of a clustering whose `judged` models are measured; None where it is undefined: of fewer than
    two clusters, or singletons alone. Members of singletons count 0."""
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
