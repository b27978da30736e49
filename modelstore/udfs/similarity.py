"""The similarity of models by their scores on the benchmark datasets."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Bytes of a column of pairs taken at a time: what they are computed from stays in the processor's cache.
BLOCK = 65_536


def model_similarity(a: ArrayLike, b: ArrayLike, k: int = 5) -> float | None:
    """The similarity of two models: 1 − the mean of the k largest |a − b| over the datasets that both have.

    Parameters
    ----------
    a, b : (datasets,) array_like of float
        The models' scores, in the datasets' own units; NaN or None where a model has no score.
    k : int
        How many differences count; all of them where there are fewer.

    Returns
    -------
    float or None
        In [0, 1] where scores are; None for models without a dataset in common.

    Raises
    ------
    ValueError
        k < 1, lengths that differ, or an infinite score.

    Notes
    -----
    Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection", Eq. 1.

    Examples
    --------
    >>> round(model_similarity([0.9, 0.8, None], [0.7, 0.8, 0.5], k=1), 4)
    0.8
    """
    value = float(paired_similarities(np.atleast_2d(_floats(a)), np.atleast_2d(_floats(b)), k)[0])
    return None if np.isnan(value) else value


def paired_similarities(left: ArrayLike, right: ArrayLike, k: int = 5) -> NDArray[np.float64]:
    """`model_similarity` of each row of ``left`` with the same row of ``right``.

    Parameters
    ----------
    left, right : (n, datasets) array_like of float
        Scores; NaN where missing.
    k : int
        How many differences count.

    Returns
    -------
    (n,) ndarray of float
        NaN where the two have no dataset in common.

    Raises
    ------
    ValueError
        As `model_similarity`, and for numbers of rows that differ.
    """
    a, b = _score_rows(left, right, k)
    if len(a) != len(b):
        raise ValueError(f"pairs need as many rows on either side, not {len(a)} and {len(b)}")
    result = np.empty(len(a))
    largest = _Largest(k)
    step = BLOCK // a.itemsize
    for start in range(0, len(a), step):
        differences = np.ascontiguousarray((a[start : start + step] - b[start : start + step]).T)
        common = (~np.isnan(differences)).sum(axis=0, dtype=np.int32)
        largest.clear(len(common))
        for difference in differences:
            np.fmax(np.abs(difference, out=difference), 0.0, out=largest.next)
            largest.add()
        result[start : start + step] = 1.0 - largest.mean(common)
    return result


def similarities(
    left: ArrayLike, right: ArrayLike, k: int = 5, dtype: type[np.floating] = np.float64
) -> NDArray[Any]:
    """`model_similarity` of every row of ``left`` with every row of ``right``: 1 − `largest_differences`."""
    found = largest_differences(left, right, k, dtype)
    return np.subtract(1.0, found, out=found)


def largest_differences(
    left: ArrayLike, right: ArrayLike, k: int = 5, dtype: type[np.floating] = np.float64
) -> NDArray[Any]:
    """The mean of the k largest differences of every row of ``left`` from every row of ``right``.

    Beyond the result it needs a copy or two of the longer side. Where ``right`` is ``left`` itself, half of
    the pairs are computed.

    Parameters
    ----------
    left : (n, datasets) array_like of float
        Scores; NaN where missing.
    right : (m, datasets) array_like of float
        Likewise.
    k : int
        How many differences count.
    dtype : type
        float32 takes half the time, where seven digits are enough, as for means.

    Returns
    -------
    (n, m) ndarray of ``dtype``
        NaN where the two have no dataset in common.

    Raises
    ------
    ValueError
        As `model_similarity`.
    """
    a, b = _score_rows(left, right, k)
    if len(a) > len(b):  # the work on one row of `a` is vectorised over the rows of `b`
        return largest_differences(b, a, k, dtype).T
    symmetric = left is right
    result = np.empty((len(a), len(b)), dtype)
    known = ~np.isnan(b.T)
    columns, weights = np.where(known, b.T, 0.0).astype(dtype), known.astype(dtype)
    of_a = (~np.isnan(a)).astype(dtype)
    a = a.astype(dtype)
    largest = _Largest(k, dtype)
    step = BLOCK // a.itemsize
    for start in range(0, len(b), step):
        # Of the pairs of `a` with itself, those of a row with itself and with the rows after it.
        for row in range(min(len(a), start + step) if symmetric else len(a)):
            block = slice(max(start, row) if symmetric else start, min(start + step, len(b)))
            largest.clear(block.stop - block.start)
            for dataset in np.flatnonzero(of_a[row]):
                np.subtract(columns[dataset, block], a[row, dataset], out=largest.next)
                np.abs(largest.next, out=largest.next)
                np.multiply(largest.next, weights[dataset, block], out=largest.next)
                largest.add()
            result[row, block] = largest.mean(of_a[row] @ weights[:, block])
            if symmetric:
                result[block, row] = result[row, block]
    return result


class _Largest:
    """Keeps the k largest differences of n pairs, as their datasets are added one by one.

    A missing difference is added as zero: none of the largest is less. Element-wise maxima and minima are
    several times as fast here as sorting or partitioning many short rows.
    """

    def __init__(self, k: int, dtype: type[np.floating] = np.float64):
        self._k = k
        self._dtype = dtype
        self._buffers: list[NDArray[Any]] = []

    def clear(self, pairs: int) -> None:
        """Begins with other pairs, of which there are `pairs`."""
        if not self._buffers or len(self._buffers[0]) != pairs:
            self._buffers = [np.empty(pairs, self._dtype) for _ in self._buffers or range(2)]
        self._count = 0  # of the buffers, so many hold the largest, in descending order

    @property
    def next(self) -> NDArray[Any]:
        """(n,): where the |a − b| of one more dataset is to be written before `add`."""
        return self._buffers[self._count]

    def add(self) -> None:
        buffers, count = self._buffers, self._count
        difference, smaller = buffers[count], buffers[count + 1]
        last = count == self._k
        for kept in buffers[: count - last]:
            np.minimum(kept, difference, out=smaller)
            np.maximum(kept, difference, out=kept)
            difference, smaller = smaller, difference
        if last:  # what is less than all that are kept is not needed
            np.maximum(buffers[count - 1], difference, out=buffers[count - 1])
        buffers[count], buffers[count + 1] = difference, smaller
        if count < self._k:
            self._count += 1
            if len(buffers) == self._count + 1:
                buffers.append(np.empty(len(difference), self._dtype))

    def mean(self, common: NDArray[Any]) -> NDArray[Any]:
        """The mean of the largest differences of the pairs, which have `common` (n,) datasets."""
        total = np.sum(self._buffers[: self._count], axis=0) if self._count else np.zeros(len(common))
        with np.errstate(invalid="ignore"):
            return np.divide(total, np.minimum(common, self._k))


def _score_rows(left: ArrayLike, right: ArrayLike, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = _floats(left), _floats(right)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"both models need a cell for the same datasets: {a.shape[1:]} and {b.shape[1:]}")
    if np.isinf(a).any() or np.isinf(b).any():
        raise ValueError("scores must be finite, or missing")
    return a, b


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("scores must be numbers, in rows of one length") from None
