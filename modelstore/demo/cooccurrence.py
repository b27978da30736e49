"""Initial word embeddings from co-occurrence counts, which save minutes of training."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

WINDOW = 8  # words to each side that count as near


def counts(passages: Sequence[Sequence[int]], size: int) -> sparse.csr_matrix:
    """How often words occur near each other, weighted by 1 / distance: (size, size). Id 0 is padding."""
    flat = np.concatenate([np.asarray([*passage, *[0] * WINDOW]) for passage in passages])
    total = sparse.csr_matrix((size, size))
    for distance in range(1, WINDOW + 1):
        left, right = flat[:-distance], flat[distance:]
        both = (left > 0) & (right > 0)
        weights = np.full(both.sum(), 1 / distance)
        total = total + sparse.csr_matrix((weights, (left[both], right[both])), shape=(size, size))
    return sparse.csr_matrix(total + total.T)


def word_factors(passages: Sequence[Sequence[int]], size: int, width: int, spread: float) -> np.ndarray:
    """Factors of the positive pointwise mutual information of words, as in Levy, Goldberg and Dagan (2015).

    Parameters
    ----------
    passages
        Token ids.
    size
        The number of words.
    width
        The number of factors of a word.
    spread
        The standard deviation that the factors are scaled to.

    Returns
    -------
    ndarray
        (size, width); words that the passages lack get random factors.
    """
    together = counts(passages, size).tocoo()
    row = np.asarray(together.sum(axis=1)).ravel()
    context = row**0.75 / (row**0.75).sum()
    information = np.log(together.data / (row[together.row] * context[together.col]))
    positive = information > 0
    matrix = sparse.csr_matrix(
        (information[positive], (together.row[positive], together.col[positive])), shape=(size, size)
    )
    left, values, _ = randomized_svd(matrix, width, random_state=0)
    factors = left * np.sqrt(values)
    factors *= spread / factors.std()
    missing = ~factors.any(axis=1)
    factors[missing] = np.random.default_rng(0).normal(0, spread, (missing.sum(), width))
    return factors
