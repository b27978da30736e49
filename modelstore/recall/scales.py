"""The scores of several datasets on one scale, and the correlations of the datasets.

Scores are a matrix (models, datasets), NaN where there is no record.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FLOOR = 0.01


def standardise(scores: Floats) -> Floats:
    """z = (score − the dataset's mean) / the dataset's standard deviation: (models, datasets).

    0 where all models have the same score; NaN stays.

    Examples
    --------
    >>> standardise(np.array([[0.5, 0.9], [0.7, np.nan]])).round(6).tolist()
    [[-1.0, 0.0], [1.0, nan]]
    """
    known = np.isfinite(scores)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, scores - np.where(known, scores, 0.0).sum(axis=0) / counts, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    return np.where(known, scaled, np.nan)


def correlations(scores: Floats) -> Floats:
    """The correlations of datasets, over the models that have results on both.

    Parameters
    ----------
    scores
        (models, datasets).

    Returns
    -------
    (datasets, datasets) ndarray of float
        r(i, j) = Σ z_i z_j / (√(Σ z_i² Σ z_j²) + 1) over the common models, where z are the standardised scores:
        shrunk to 0 as by one more model; 1 on the diagonal. Missing cells may make such a matrix indefinite: its
        eigenvalues are then raised to 0.01, since no dataset predicts another exactly, and its diagonal is made 1
        again.
    """
    z = standardise(scores)
    known = np.isfinite(z).astype(float)
    filled = np.nan_to_num(z)
    products = filled.T @ filled
    squares = (filled**2).T @ known  # (i, j): Σ z_i² over the models with a result on j
    found = products / (np.sqrt(squares * squares.T) + 1)
    np.fill_diagonal(found, 1.0)
    values, vectors = np.linalg.eigh(found)
    if values.min(initial=1.0) < _FLOOR:
        found = (vectors * np.maximum(values, _FLOOR)) @ vectors.T
        scale = np.sqrt(np.diag(found))
        found /= scale[:, None] * scale
    return found
