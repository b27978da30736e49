"""Average linkage from all distances, which are kept as one square of float32."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.distances import CELLS, Distances, OnPairs, silent

Square = NDArray[np.float32]

# A mean in float32 is right to this share of the threshold: one that is nearer to it is computed again in float64.
ROUNDING = 1e-5
STEPS = 256  # from one look for an interruption to the next


class KeptDistances:
    """The distances between n models, of which those in float32 are kept: n² · 4 bytes, half of them computed.

    Parameters
    ----------
    distances
        The distances.
    on_pairs
        Called as pairs are computed.
    """

    def __init__(self, distances: Distances, on_pairs: OnPairs = silent):
        n = len(distances)
        self._distances = distances
        self._everyone = np.arange(n)
        self.square: Square = np.empty((n, n), np.float32)
        step = max(1, CELLS // max(1, n))
        for start in range(0, n, step):
            check()
            rows = self._everyone[start : start + step]
            block = distances.between(rows, self._everyone[start:], np.float32)
            self.square[start : start + len(rows), start:] = block
            self.square[start:, start : start + len(rows)] = block.T
            on_pairs(int((n - 1 - rows).sum()))

    def __len__(self) -> int:
        return len(self._distances)

    def between(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], dtype: type[np.floating] = np.float64
    ) -> NDArray[Any]:
        if dtype != np.float32:
            return self._distances.between(rows, columns, dtype)
        if np.array_equal(columns, self._everyone):
            return self.square[rows]
        return self.square[np.ix_(rows, columns)]

    def pairs(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.float64]:
        return self._distances.pairs(left, right)

    def neighbours(self, threshold: float) -> Iterator[tuple[int, NDArray[np.intp]]]:
        return self._distances.neighbours(threshold)

    def take(self, rows: NDArray[np.intp]) -> Distances:
        return self._distances.take(rows)

    def states(self) -> NDArray[np.uint64]:
        return self._distances.states()


@dataclass(frozen=True)
class Merges:
    """The mergers of n models: at each ``height``, cluster ``right`` joined ``left``; each (mergers,).

    A cluster has the number of its first model.
    """

    models: int
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    height: NDArray[np.float64]

    def labels(self, threshold: float = np.inf) -> NDArray[np.intp]:
        """For each model the number of its cluster after the mergers up to ``threshold``: (models,)."""
        joined = np.arange(self.models)
        done = self.height <= threshold
        joined[self.right[done]] = self.left[done]
        while not np.array_equal(further := joined[joined], joined):
            joined = further
        return joined


def cut(kept: KeptDistances, threshold: float) -> NDArray[np.intp]:
    """Average linkage, cut at a threshold: for each model the number of one member of its cluster, (n,)."""
    square = kept.square
    # A model that is near no other is alone: no merger of others brings them nearer to it.
    alive = np.flatnonzero(_nearest(square) <= threshold * (1 + ROUNDING))
    labels = np.arange(len(square))

    def within(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
        return bool(kept.between(alive[one], alive[other]).mean() <= threshold)

    labels[alive] = alive[link(square[np.ix_(alive, alive)], threshold, within).labels()]
    return labels


def dendrogram(kept: KeptDistances) -> Merges:
    """All mergers of average linkage, those of clusters that are `FAR` from each other too."""
    return link(kept.square.copy(), np.inf, lambda one, other: True)


def link(
    square: Square,
    threshold: float,
    within: Callable[[NDArray[np.intp], NDArray[np.intp]], bool],
) -> Merges:
    """Average linkage by chains of nearest neighbours, as far as a threshold.

    Parameters
    ----------
    square
        (n, n) distances; overwritten.
    threshold
        The greatest mean distance at which two clusters are merged.
    within
        Says of the members of two clusters, whose mean distance is that of the threshold up to rounding, whether they
        are merged.

    Notes
    -----
    A chain goes from a cluster to its nearest, and on to the nearest of that, until two are each other's nearest.
    They are merged, and as average linkage is reducible, the rest of the chain remains one (Murtagh, "A Survey of
    Recent Advances in Hierarchical Clustering Algorithms", Computer Journal 1983). Distances from a merged cluster
    are the means of those from its parts, weighted by their sizes (Lance & Williams). A cluster with no other within
    the threshold is final. Each step reads one row, and each merger writes a row and a column: O(n²) in all.
    """
    n = len(square)
    np.fill_diagonal(square, np.inf)
    size, top = np.ones(n), np.zeros(n)
    gone = np.zeros(n, np.float32)  # infinite for those merged into others, and for those that are final
    cluster = np.arange(n)
    row = np.empty(n, np.float32)
    merged: list[tuple[int, int, float]] = []
    chain: list[int] = []
    first = steps = 0
    low, high = threshold * (1 - ROUNDING), threshold * (1 + ROUNDING)
    while True:
        steps += 1
        if steps % STEPS == 0:
            check()
        if not chain:
            while first < n and gone[first]:
                first += 1
            if first == n:
                break
            chain.append(first)
        tip = chain[-1]
        np.add(square[tip], gone, out=row)
        nearest = int(row.argmin())
        distance = float(row[nearest])
        if not (distance <= high and distance < np.inf):
            chain.pop()
            gone[tip] = np.inf
        elif len(chain) == 1 or row[chain[-2]] > distance:
            chain.append(nearest)
        else:  # of several that are equally near, the one before in the chain, or it would never end
            one, other = sorted(chain[-2:])
            if distance > low and not within(
                np.flatnonzero(cluster == one), np.flatnonzero(cluster == other)
            ):
                square[one, other] = square[other, one] = np.nextafter(np.float32(high), np.float32(np.inf))
                chain.clear()
                continue
            del chain[-2:]
            top[one] = max(distance, top[one], top[other])  # rounding may turn equal heights around
            merged.append((one, other, float(top[one])))
            _merge(square, one, other, size)
            cluster[cluster == other] = one
            gone[other] = np.inf
    left, right, height = zip(*merged, strict=True) if merged else ((), (), ())
    return Merges(n, np.array(left, np.intp), np.array(right, np.intp), np.array(height, float))


def _merge(square: Square, one: int, other: int, size: NDArray[np.float64]) -> None:
    """Replaces the distances of ``one`` by those of its union with ``other``."""
    share = float(size[other] / (size[one] + size[other]))
    square[one] *= 1 - share
    square[one] += square[other] * share
    square[one, one] = np.inf
    square[:, one] = square[one]
    size[one] += size[other]


def _nearest(square: Square) -> NDArray[np.float32]:
    """The least distance of each model from another: (n,)."""
    nearest = np.full(len(square), np.inf, np.float32)
    for row, distances in enumerate(square):
        others = distances[:row], distances[row + 1 :]
        nearest[row] = min(part.min(initial=np.inf) for part in others)
    return nearest
