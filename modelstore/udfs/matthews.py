"""Matthews's correlation of predicted and true classes."""

import numpy as np
from numpy.typing import NDArray


def matthews(
    hits: NDArray[np.float64], predicted: NDArray[np.float64], true: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Matthews's correlation coefficient of two classes or more, from counts.

    Parameters
    ----------
    hits, predicted, true : (…, classes) array of float
        How often each class is predicted rightly, is predicted, and is true; predicted and true sum to the rows.

    Returns
    -------
    (…,) array of float
        In [−1, 1]; 0 where one class alone is predicted, or true.

    Notes
    -----
    Gorodkin, "Comparing Two K-Category Assignments by a K-Category Correlation Coefficient", Computational Biology
    and Chemistry 2004: (c s − Σ pₖ tₖ) / √((s² − Σ pₖ²) (s² − Σ tₖ²)), with c hits among s rows.

    Examples
    --------
    >>> float(matthews(np.array([4.0, 3.0]), np.array([5.0, 5.0]), np.array([6.0, 4.0])).round(4))
    0.4082
    """
    rows = true.sum(axis=-1)
    covariance = hits.sum(axis=-1) * rows - (predicted * true).sum(axis=-1)
    spread = (rows**2 - (predicted**2).sum(axis=-1)) * (rows**2 - (true**2).sum(axis=-1))
    return np.divide(covariance, np.sqrt(spread), out=np.zeros(spread.shape), where=spread > 0)
