"""The p-value of a permutation test whose permutations are drawn at random."""

import numpy as np
from numpy.typing import ArrayLike


def permutation_p_value(observed: float, permuted: ArrayLike) -> float:
    """How likely a statistic is at least so far from 0 if the permutations change nothing.

    Parameters
    ----------
    observed : float
        The statistic.
    permuted : (permutations,) array_like of float
        The statistic of permutations drawn at random.

    Returns
    -------
    float
        The two-sided p-value (b + 1) / (m + 1), where b of the m permutations are at least as far from 0: never 0.

    Notes
    -----
    Phipson & Smyth, "Permutation P-values Should Never Be Zero", Statistical Applications in Genetics and Molecular
    Biology 2010. Values that differ by rounding alone count as equal.

    Examples
    --------
    >>> permutation_p_value(0.3, [0.1, -0.3, 0.0, 0.2])
    0.4
    """
    values = np.abs(np.asarray(permuted, dtype=np.float64))
    as_far = values >= abs(observed) * (1 - 1e-9) - 1e-12
    return float((as_far.sum() + 1) / (len(values) + 1))
