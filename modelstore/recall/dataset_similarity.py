"""How alike datasets are: by the order in which they put models, and by what their rows and labels mean."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelstore.recall.normal_scores import normal_score_matrix

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]
LEAST_MODELS = 3  # two models are always in perfect order, or in the reverse


def similarity_by_results(scores: Floats, target: int) -> tuple[Floats, Counts]:
    """How far each dataset puts models in the order in which the target does.

    Parameters
    ----------
    scores : (models, datasets) array of float, NaN where there is no record
        Of a dataset only the order of its models counts.
    target : int
        The target's column.

    Returns
    -------
    similarity : (datasets,) array of float
        Σ x y / (√(Σ x² Σ y²) + 1) over the models that both have, where x and y are their normal scores within each
        dataset, less their means over these models: Pearson's correlation, shrunk to 0 as `scales.correlations`
        does it. NaN for fewer than `LEAST_MODELS` models, and where all of them are level on one side.
    models : (datasets,) array of int
        How many models both have.

    Examples
    --------
    >>> scores = np.array([[0.7, 0.8, 0.3], [0.8, 0.9, 0.2], [0.9, 0.95, np.nan]])
    >>> similarity, models = similarity_by_results(scores, target=0)
    >>> similarity.round(3).tolist(), models.tolist()
    ([0.652, 0.652, nan], [3, 3, 2])
    """
    z = normal_score_matrix(scores)
    common = np.isfinite(z) & np.isfinite(z[:, [target]])
    counts = common.sum(axis=0)
    x, y = (_centred(np.broadcast_to(side, z.shape), common, counts) for side in (z[:, [target]], z))
    lengths = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    says = (counts >= LEAST_MODELS) & (lengths > 1e-9)
    return np.where(says, (x * y).sum(axis=0) / (lengths + 1), np.nan), counts


def _centred(z: Floats, common: NDArray[np.bool_], counts: Counts) -> Floats:
    """The normal scores less their means over the common models, 0 elsewhere: (models, datasets)."""
    means = np.where(common, z, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(common, z - means, 0.0)


def cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """The cosine of two vectors, (d,): NaN where one of them is 0."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip((x @ y) / lengths, -1.0, 1.0)) if lengths > 0 else float("nan")


def mean_direction(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """The mean of the rows, each of length 1 first: (rows, d) to (d,). A row of zeros counts as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(lengths > 0, lengths, 1.0)
    return unit.mean(axis=0).astype(np.float32)


def names_in_words(labels: Sequence[str]) -> list[str]:
    """The names of labels as words, each once: none where one of them is a number, or a number after `LABEL`.

    Examples
    --------
    >>> names_in_words(["card_arrival", "Sci/Tech"]), names_in_words(["LABEL_0", "LABEL_1"])
    (['card arrival', 'Sci Tech'], [])
    """
    words = [" ".join(re.findall(r"[^\W_]+", label)) for label in labels]
    if any(re.fullmatch(r"(?:label|class)?[ \d]*", one, re.IGNORECASE) for one in words):
        return []
    return list(dict.fromkeys(words))


def with_labels(inputs: Sequence[float], labels: Sequence[float]) -> Floats:
    """The mean of how alike the inputs of datasets are and how alike their labels' names are.

    Parameters
    ----------
    inputs, labels : (datasets,) sequences of float
        Cosines; one of ``labels`` is NaN where the dataset or the target has no names of labels.

    Returns
    -------
    (datasets,) array of float
        A dataset without names of labels counts as the mean of the others by these. Where none has them, the inputs
        alone count.

    Examples
    --------
    >>> with_labels([0.9, 0.5, 0.7], [0.1, 0.7, np.nan]).round(3).tolist()
    [0.5, 0.6, 0.55]
    """
    of_inputs, of_labels = np.asarray(inputs, dtype=float), np.asarray(labels, dtype=float)
    known = np.isfinite(of_labels)
    if not known.any():
        return of_inputs
    return (of_inputs + np.where(known, of_labels, of_labels[known].mean())) / 2
