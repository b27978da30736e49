"""Scores of several datasets on one scale, and how far the datasets go together.

Scores are a matrix (models, datasets), NaN where nothing is on record.
"""

import numpy as np
from numpy.typing import NDArray

from modelstore.udfs.normalise import normalise_rank

Floats = NDArray[np.float64]
_FLOOR = 0.01


def standardise(scores: Floats) -> Floats:
    """z = (score − the dataset's mean) / the dataset's standard deviation, over the models that it has.

    0 where all have the same score; NaN stays.
    """
    known = np.isfinite(scores)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, scores - np.where(known, scores, 0.0).sum(axis=0) / counts, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    return np.where(known, scaled, np.nan)


def normal_scores(scores: Floats) -> Floats:
    """Φ⁻¹((rank − ½) / n) of each score among the n models that the dataset has (van der Waerden); NaN stays.

    Ties share their mean rank, so that a dataset where all score alike says 0.
    """
    from scipy.special import ndtri

    found = np.empty(scores.shape)
    for column, of_dataset in enumerate(scores.T):
        known = max(1, int(np.isfinite(of_dataset).sum()))
        found[:, column] = ndtri(normalise_rank(of_dataset) - 0.5 / known)
    return found


def correlations(scores: Floats, pseudo: float = 1.0, to_mean: bool = False) -> Floats:
    """How far results on two datasets go together, over the models that have both: (datasets, datasets).

    r(i, j) = (Σ z_i z_j + k r̄) / (√(Σ z_i² Σ z_j²) + k) over the common models, z being the standardised scores:
    drawn to r̄, which is 0 or, with ``to_mean``, that of all pairs together, as if k = ``pseudo`` more models had said
    so; 1 on the diagonal. Missing cells may make such a matrix indefinite: its eigenvalues are then raised to 0.01,
    since no dataset foretells another wholly, and its diagonal made 1 again.
    """
    z = standardise(scores)
    known = np.isfinite(z).astype(float)
    filled = np.nan_to_num(z)
    products = filled.T @ filled
    squares = (filled**2).T @ known  # of i, over the models that j has too
    most = np.sqrt(squares * squares.T)
    mean = 0.0
    if to_mean:
        pairs = ~np.eye(len(products), dtype=bool)
        mean = float(products[pairs].sum() / max(most[pairs].sum(), 1e-9))
    found = (products + pseudo * mean) / (most + pseudo)
    np.fill_diagonal(found, 1.0)
    values, vectors = np.linalg.eigh(found)
    if values.min(initial=1.0) < _FLOOR:
        found = (vectors * np.maximum(values, _FLOOR)) @ vectors.T
        scale = np.sqrt(np.diag(found))
        found /= scale[:, None] * scale
    return found
