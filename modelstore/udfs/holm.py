"""Holm's correction of p-values for how many of them there are."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """The p-values of a family of tests, adjusted so that the chance of any false rejection stays within the level.

    Parameters
    ----------
    p_values : (tests,) array_like of float
        Each in [0, 1]; the tests may depend on each other.

    Returns
    -------
    (tests,) array of float
        The adjusted p-values, in the same order: the k-th smallest of n is multiplied by n − k + 1, is at most 1 and
        never below a smaller one.

    Notes
    -----
    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
