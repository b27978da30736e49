"""Distances between many models, 1 − similarity: computed as they are needed, never all at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.udfs.similarity import largest_differences, paired_similarities, similarities

# The distance between models without a dataset in common: finite, and in any mean with others above every threshold.
FAR = 1e30
# How many bytes, or pairs, are worked on at a time: a few MB.
COLUMNS = 65_536
PAIRS = 1 << 20
CELLS = 1 << 22
# Of so many models all neighbours are counted before those of all are searched for, and such an excess is no chance.
FEW, SURELY = 64, 1.25

# Called as pairs are searched through: with how many more, and how many there are in all.
OnPairs = Callable[[int], object]


@dataclass(frozen=True)
class Edges:
    """Pairs of clusters (``left`` < ``right``), with the ``mean`` distance between their members; each (edges,)."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    mean: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, chosen: NDArray) -> "Edges":
        return Edges(self.left[chosen], self.right[chosen], self.mean[chosen])


class Distances(Protocol):
    """The distances between n models, numbered from 0; `FAR` where the similarity is unknown."""

    def __len__(self) -> int: ...

    def between(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], dtype: type[np.floating] = np.float64
    ) -> NDArray[Any]:
        """The distance of each of ``rows`` from each of ``columns``: (len(rows), len(columns)), of ``dtype``."""
        ...

    def pairs(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.float64]:
        """The distance between ``left[i]`` and ``right[i]`` for each i: (len(left),)."""
        ...

    def neighbours(self, threshold: float) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yields for each model, in order, those after it within ``threshold``, and perhaps a few more."""
        ...

    def take(self, rows: NDArray[np.intp]) -> "Distances":
        """The distances between some of the models."""
        ...

    def states(self) -> NDArray[np.uint64]:
        """A digest of each model, (n,): equal for two models only if they are equally far from any other."""
        ...


class PerformanceDistances:
    """By scores (n, datasets), NaN where missing: 1 − `model_similarity` with ``k`` differences (Eq. 1)."""

    def __init__(self, scores: NDArray[np.float64], k: int):
        self._scores = scores
        self._k = k

    def __len__(self) -> int:
        return len(self._scores)

    def take(self, rows: NDArray[np.intp]) -> "PerformanceDistances":
        return PerformanceDistances(self._scores[rows], self._k)

    def states(self) -> NDArray[np.uint64]:
        return _digests(self._scores)

    def between(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], dtype: type[np.floating] = np.float64
    ) -> NDArray[Any]:
        one, other = self._scores[rows], self._scores[columns]
        if dtype == np.float32:  # 1 − (1 − x) would leave seven digits of 1, not of x
            return _far_if_unknown(largest_differences(one, other, self._k, dtype))
        return _distances(similarities(one, other, self._k, dtype))

    def pairs(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.float64]:
        found = np.empty(len(left))
        for start in range(0, len(left), PAIRS // 16):
            block = slice(start, start + PAIRS // 16)
            found[block] = paired_similarities(self._scores[left[block]], self._scores[right[block]], self._k)
        return _distances(found)

    def neighbours(self, threshold: float) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yields the models for which a lower bound of the distance, computed in bytes, is within ``threshold``.

        The datasets are dealt to k groups. The greatest differences of the groups are k of all differences,
        so their sum is at most that of the k largest. Scores are rounded to whole steps, 127 of which are the
        greatest sum that passes, and kept modulo 256: neither makes a difference larger by more than one
        step.
        """
        n, datasets = self._scores.shape
        groups = max(1, min(self._k, datasets))
        known = ~np.isnan(self._scores)
        scores = np.where(known, self._scores, 0.0)
        # Steps must not be smaller than the precision of the scores.
        step = max(self._k * threshold / 127, np.abs(scores).max(initial=0.0) * 1e-9, 1e-300)
        steps = np.ascontiguousarray((np.rint(scores / step).astype(np.int64) % 256).astype(np.uint8).T)
        masks = np.ascontiguousarray(np.where(known, np.uint8(255), np.uint8(0)).T)
        has = [np.flatnonzero(row) for row in known]
        bits = np.packbits(known, axis=1)
        # The limit by the number of datasets in common; without one, no pair passes.
        limits = np.floor(np.minimum(np.arange(datasets + 1), self._k) * (threshold / step + 1) + 1e-6)
        limits[0] = -1
        highest = min(int(limits.max()), np.iinfo(np.uint16).max)
        buffers = np.empty((2 + groups, COLUMNS), np.uint8)
        sums = np.empty(COLUMNS, np.uint16)
        for row in range(n - 1):
            found = []
            for start in range(row + 1, n, COLUMNS):
                block = slice(start, min(start + COLUMNS, n))
                one, other, *largest = buffers[:, : block.stop - start]
                total = sums[: block.stop - start]
                used = largest[: len(has[row])]
                for position, dataset in enumerate(has[row]):
                    group = largest[position % groups]
                    np.subtract(steps[dataset, block], steps[dataset, row], out=one)
                    np.negative(one, out=other)
                    first = position < groups
                    np.minimum(one, other, out=one)
                    np.bitwise_and(one, masks[dataset, block], out=group if first else one)
                    if not first:
                        np.maximum(group, one, out=group)
                total[:] = 0
                for group in used:
                    np.add(total, group, out=total)
                passed = np.flatnonzero(total <= highest)
                common = np.bitwise_count(bits[start + passed] & bits[row]).sum(axis=1)
                found.append(start + passed[total[passed] <= limits[common]])
            yield row, np.concatenate(found)


class CosineDistances:
    """By embeddings (n, dimensions): 1 − their cosine. A row of NaN is a model without embedding, far from all."""

    def __init__(self, embeddings: NDArray[np.floating]):
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        self._unit = embeddings / np.maximum(lengths, 1e-12)

    def __len__(self) -> int:
        return len(self._unit)

    def take(self, rows: NDArray[np.intp]) -> "CosineDistances":
        return CosineDistances(self._unit[rows])

    def states(self) -> NDArray[np.uint64]:
        return _digests(self._unit)

    def between(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], dtype: type[np.floating] = np.float64
    ) -> NDArray[Any]:
        return _distances((self._unit[rows] @ self._unit[columns].T).astype(dtype, copy=False))

    def pairs(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.float64]:
        found = np.empty(len(left))
        step = max(1, CELLS // self._unit.shape[1])
        for start in range(0, len(left), step):
            block = slice(start, start + step)
            found[block] = np.einsum("nd,nd->n", self._unit[left[block]], self._unit[right[block]])
        return _distances(found)

    def neighbours(self, threshold: float) -> Iterator[tuple[int, NDArray[np.intp]]]:
        n = len(self)
        step = max(1, CELLS // max(1, n))
        for start in range(0, n - 1, step):
            rows = np.arange(start, min(start + step, n - 1))
            block = self.between(rows, np.arange(start + 1, n))
            for row, distances in zip(rows.tolist(), block, strict=True):
                # `pairs`, which decides, rounds differently.
                yield row, row + 1 + np.flatnonzero(distances[row - start :] <= threshold + 1e-5)


def _digests(rows: NDArray[np.floating]) -> NDArray[np.uint64]:
    """A digest of each row in 64 bits: (n,)."""
    digests = b"".join(blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, np.uint64)


def _distances(similarity: NDArray[Any]) -> NDArray[Any]:
    """1 − similarity, at least 0 (a rounded cosine may pass 1), and `FAR` for NaN. Overwrites its argument."""
    np.subtract(1.0, similarity, out=similarity)
    np.maximum(similarity, 0.0, out=similarity)
    return _far_if_unknown(similarity)


def _far_if_unknown(distances: NDArray[Any]) -> NDArray[Any]:
    """`FAR` in place of NaN. Overwrites its argument."""
    distances[np.isnan(distances)] = FAR
    return distances


def silent(pairs: int) -> None:
    """Reports nothing."""


def search(distances: Distances, threshold: float, most: int, on_pairs: OnPairs = silent) -> Edges | None:
    """The pairs of models at ``threshold`` or less, in order; None where there are more than ``most``."""
    if _are_many(distances, threshold, most):
        return None
    parts: list[Edges] = []
    waiting: list[tuple[int, NDArray[np.intp]]] = []
    candidates = kept = 0

    def sift() -> None:
        nonlocal kept, candidates
        counts = [len(others) for _, others in waiting]
        left = np.repeat(np.array([row for row, _ in waiting], np.int32), counts)
        right = np.concatenate([others for _, others in waiting])
        parts.append(within(distances, left, right, threshold))
        kept += len(parts[-1])
        waiting.clear()
        candidates = 0

    n = len(distances)
    for row, others in distances.neighbours(threshold):
        check()
        waiting.append((row, others))
        candidates += len(others)
        if candidates > PAIRS:
            sift()
            if kept > most:
                return None
        on_pairs(n - row - 1)
    if waiting:
        sift()
    if kept > most:
        return None
    columns = [[part.left for part in parts], [part.right for part in parts]]
    means = [part.mean for part in parts]
    parts.clear()
    left, right = (np.concatenate([*columns.pop(0), np.empty(0, np.int32)]) for _ in range(2))
    return Edges(left, right, np.concatenate([*means, np.empty(0)]))


def _are_many(distances: Distances, threshold: float, most: int) -> bool:
    """Whether clearly more than ``most`` pairs are within the threshold, by those of a few models."""
    n = len(distances)
    if n * (n - 1) // 2 <= most:
        return False
    some = np.random.default_rng(0).choice(n, min(FEW, n), replace=False)
    near = (distances.between(some, np.arange(n), np.float32) <= threshold).sum() - len(some)
    return bool(near / len(some) * n / 2 > SURELY * most)


def within(
    distances: Distances, left: NDArray[np.integer], right: NDArray[np.integer], threshold: float
) -> Edges:
    """The pairs of models (``left`` < ``right``) that are at ``threshold`` or less."""
    apart = distances.pairs(left, right)
    near = Edges(left.astype(np.int32, copy=False), right.astype(np.int32, copy=False), apart)
    return near[apart <= threshold]
