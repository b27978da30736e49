"""Resamples of rows, as numbers of how often each holds each row, some at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check

CELLS = 500_000  # numbers in one part: what a processor's cache holds
GROUPS = 500  # of rows that the jackknife leaves out one after another, at most


class Resampling:
    """Draws resamples of rows, the same each time they are asked for.

    Rows of one kind are counted together: they have the same truth and the same answers of all models.

    Parameters
    ----------
    kinds
        The kind of each row, (rows,), from 0.
    samples
        How many resamples there are.
    seed
        What they are drawn by.
    """

    def __init__(self, kinds: NDArray, samples: int, seed: int):
        self._kinds, self._samples, self._seed = kinds, samples, seed
        self.counts = np.bincount(kinds)
        self._part = max(1, CELLS // len(self.counts))

    @property
    def whole(self) -> NDArray[np.float64]:
        """Every row once: (kinds, 1)."""
        return self.counts[:, None].astype(np.float64)

    def bootstrap(self) -> Iterator[NDArray[np.float64]]:
        """As many rows, drawn with replacement: (kinds, some) at a time."""
        generator, rows = np.random.default_rng([self._seed, 0]), len(self._kinds)
        for size in self._sizes(self._samples):
            if len(self.counts) < rows:
                yield generator.multinomial(rows, self.counts / rows, size).T.astype(np.float64)
                continue
            # The same numbers, faster where every row is its own kind.
            drawn = generator.integers(rows, size=(rows, size)) * size + np.arange(size)
            yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)

    def jackknife(self) -> Iterator[NDArray[np.float64]]:
        """All rows but one, each once, or but one of `GROUPS` groups of rows: (kinds, some) at a time."""
        kinds = np.random.default_rng([self._seed, 1]).permutation(self._kinds)
        groups = np.array_split(kinds, min(len(kinds), GROUPS))
        done = 0
        for size in self._sizes(len(groups)):
            without = [np.bincount(group, minlength=len(self.counts)) for group in groups[done : done + size]]
            yield self.whole - np.stack(without, axis=1)
            done += size

    def swaps(self) -> Iterator[NDArray[np.float64]]:
        """How many rows of each kind are swapped, each with a chance of one half: (kinds, some) at a time."""
        generator = np.random.default_rng([self._seed, 2])
        for size in self._sizes(self._samples):
            yield generator.binomial(self.counts[:, None], 0.5, (len(self.counts), size)).astype(np.float64)

    def _sizes(self, total: int) -> Iterator[int]:
        for done in range(0, total, self._part):
            check()
            yield min(self._part, total - done)


def kinds_of(columns: list[NDArray]) -> tuple[NDArray, NDArray]:
    """Numbers rows that agree in all columns, each (rows,), alike.

    Returns
    -------
    tuple
        The first row of each kind, (kinds,), and the kind of each row, (rows,).
    """
    kinds = np.zeros(len(columns[0]), np.int64)
    first = np.zeros(1, np.int64)
    for column in columns:
        _, first, kinds = np.unique(
            kinds * (int(column.max()) + 1) + column, return_index=True, return_inverse=True
        )
    return first, kinds
