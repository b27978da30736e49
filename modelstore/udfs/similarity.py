"""Similarity of models by their scores on the benchmark datasets (Eq. 1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# 240,000 differences are 2 MB: they stay in the processor's cache from their making to their sum.
BLOCK_CELLS = 240_000


def model_similarity(a: ArrayLike, b: ArrayLike, k: int = 5) -> float | None:
    """1 − the mean of the k largest |a − b| over the datasets that both models have.

    Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection", Eq. 1.

    a, b: (datasets,) scores in the datasets' own units (accuracies: the similarity is then in [0, 1]); NaN or
    None where the model has no score. Fewer in common than k: the mean of those there are. None in common:
    None. ValueError: k < 1, lengths that differ, an infinite score.
    """
    value = float(paired_similarities(np.atleast_2d(_floats(a)), np.atleast_2d(_floats(b)), k)[0])
    return None if np.isnan(value) else value


def paired_similarities(left: ArrayLike, right: ArrayLike, k: int = 5) -> NDArray[np.float64]:
    """`model_similarity` of each row of `left` (n, datasets) with the same row of `right` (n, datasets):
    (n,), NaN where the two have no dataset in common."""
    a, b = _score_rows(left, right, k)
    if len(a) != len(b):
        raise ValueError(f"pairs need as many rows on either side, not {len(a)} and {len(b)}")
    return _similarity(np.abs(a - b), k)


def similarities(left: ArrayLike, right: ArrayLike, k: int = 5) -> NDArray[np.float64]:
    """`model_similarity` of every row of `left` (n, datasets) with every row of `right` (m, datasets): (n,
    m), NaN where the two have no dataset in common.

    Beyond the result it needs a few MB. Where `right` is `left` itself, half of the pairs are computed.
    """
    a, b = _score_rows(left, right, k)
    result = np.empty((len(a), len(b)))
    symmetric = left is right
    step = max(1, BLOCK_CELLS // max(1, b.size))
    differences = np.empty((step, *b.shape))
    for start in range(0, len(a), step):
        block = a[start : start + step]
        first = start if symmetric else 0
        cells = differences[: len(block), first:]
        np.subtract(block[:, None, :], b[None, first:, :], out=cells)
        np.abs(cells, out=cells)
        result[start : start + step, first:] = _similarity(cells, k)
        if symmetric:
            result[first:, start : start + step] = result[start : start + step, first:].T
    return result


def _similarity(differences: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Eq. 1 over the last axis of |a − b|, NaN where either is missing. Overwrites its argument."""
    datasets = differences.shape[-1]
    missing = np.isnan(differences)
    common = datasets - np.count_nonzero(missing, axis=-1)
    # As zero, a missing difference never adds to the k largest, none of which is negative.
    differences[missing] = 0.0
    if k < datasets:
        differences.partition(datasets - k, axis=-1)
    largest = np.einsum("...d->...", differences[..., -k:])
    with np.errstate(invalid="ignore"):
        return 1.0 - np.divide(largest, np.minimum(common, k))


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
