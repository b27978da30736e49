"""How much a normally distributed score is expected to be above another (Mockus's expected improvement)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def expected_improvement(ahead: ArrayLike, deviation: ArrayLike) -> NDArray[np.float64]:
    """E max(0, a + s ε) = s [φ(z) + z Φ(z)], z = a / s, for ε ~ N(0, 1).

    Mockus, Tiesis & Zilinskas, "The Application of Bayesian Methods for Seeking the Extremum", 1978.

    Parameters
    ----------
    ahead, deviation : a and s ≥ 0, of shapes that broadcast together. Where s is 0: max(0, a).

    Examples
    --------
    >>> expected_improvement([0.0, -0.02], [0.02, 0.02]).round(4).tolist()  # level, and one deviation behind
    [0.008, 0.0017]
    """
    from scipy.special import ndtr

    a, s = np.broadcast_arrays(np.asarray(ahead, dtype=float), np.asarray(deviation, dtype=float))
    z = np.divide(a, s, out=np.zeros(a.shape), where=s > 0)
    found = s * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + z * ndtr(z))
    return np.where(s > 0, found, np.maximum(a, 0.0))
