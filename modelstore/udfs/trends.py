"""Convergence trends: final scores predicted from validation scores, as they went on the benchmark datasets."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelstore.records import kept_place

from .arrays import as_vector
from .kmeans_1d import kmeans_1d


class Trends(NamedTuple):
    """A model's trends at one stage, in order of rising validation."""

    validation: NDArray[np.float64]  # (trends,): the mean validation score of its datasets at the stage
    final: NDArray[np.float64]  # (trends,): their mean final score
    labels: NDArray[np.intp]  # (datasets,): the trend of each, from 0; −1 where a score is missing


def convergence_trends(validations: ArrayLike, finals: ArrayLike, clusters: int = 4) -> Trends:
    """A model's trends at one stage: the mean validation and mean final score of each cluster of datasets.

    Parameters
    ----------
    validations, finals : (datasets,) array_like of float
        The scores at the stage, and at the end. A dataset with NaN or None in either is left out.
    clusters : int
        How many trends; fewer where there are fewer distinct validation scores, none where no dataset is
        left.

    Returns
    -------
    Trends
        In order of rising validation.

    Raises
    ------
    ValueError
        Lengths that differ, an infinite score, or clusters < 1.

    Notes
    -----
    Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection", section IV C: the datasets
    are clustered by the model's validation score at that stage.

    Examples
    --------
    >>> convergence_trends([0.2, 0.3, 0.8], [0.4, 0.6, 0.9], clusters=2).final.tolist()
    [0.5, 0.9]
    """
    validation, final = as_vector(validations), as_vector(finals)
    if validation.shape != final.shape:
        raise ValueError(f"{len(validation)} validation scores need as many final ones, not {len(final)}")
    known = ~(np.isnan(validation) | np.isnan(final))
    validation, final = validation[known], final[known]
    if not np.isfinite(final).all():
        raise ValueError("final scores must be finite, or missing")
    members = kmeans_1d(validation, clusters)
    sizes = np.bincount(members)
    labels = np.full(len(known), -1, dtype=np.intp)
    labels[known] = members
    return Trends(np.bincount(members, validation) / sizes, np.bincount(members, final) / sizes, labels)


def trends_of_curves(
    curves: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike]],
    results: Sequence[float | None],
    epoch: float,
    clusters: int = 4,
    keep: str = "best",
) -> Trends:
    """`convergence_trends` of a model at an epoch, from its recorded runs.

    Parameters
    ----------
    curves : iterable of (epochs, validations, tests)
        One run for each dataset, each (points,), by rising epoch.
    results : sequence of float or None
        The recorded final score for each dataset, used where its curve has no test that counts.
    epoch : float
        Where the trends are read. A dataset whose curve does not reach it, or that has no final score, is
        left out.
    clusters : int
        As in `convergence_trends`.
    keep : str
        ``'best'``: the test score at a run's best validation is its final one; ``'last'``: its last test score.

    Returns
    -------
    Trends

    Raises
    ------
    ValueError
        As `convergence_trends`.

    Examples
    --------
    >>> trends_of_curves([([1, 2], [0.5, 0.7], [0.5, 0.8])], [None], epoch=1).final.tolist()
    [0.8]
    """
    runs = list(curves)
    validations = [validation_at(epochs, scores, epoch) for epochs, scores, _ in runs]
    finals = [
        final_score(tests, result, scores if keep == "best" else None)
        for (_, scores, tests), result in zip(runs, results, strict=True)
    ]
    return convergence_trends(validations, finals, clusters)


def validation_at(epochs: ArrayLike, validations: ArrayLike, epoch: float) -> float:
    """A curve's validation score at an epoch.

    Parameters
    ----------
    epochs, validations : (points,) array_like of float
        The curve, by rising epoch.
    epoch : float
        A fraction where stages are shorter than an epoch.

    Returns
    -------
    float
        Interpolated between two points; NaN before the first and after the last one, where nothing was
        observed.

    Examples
    --------
    >>> validation_at([1, 2], [0.5, 0.7], 1.5)
    0.6
    """
    return float(np.interp(epoch, as_vector(epochs), as_vector(validations), np.nan, np.nan))


def final_score(tests: ArrayLike, result: float | None, validations: ArrayLike | None = None) -> float:
    """The final score of a run: the last test score of its curve, or else the recorded result.

    Parameters
    ----------
    tests : (points,) array_like of float
        NaN or None where the run was not tested.
    result : float or None
        The recorded final score.
    validations : (points,) array_like of float or None
        Where they are given, the test score at the best of them counts, the first of equals; or else the recorded
        result; or else the last test score.

    Returns
    -------
    float
        NaN where there is neither.

    Examples
    --------
    >>> final_score([None, 0.8], result=0.7)
    0.8
    >>> final_score([0.75, 0.8], result=0.7, validations=[0.6, 0.5])
    0.75
    """
    tested = as_vector(tests)
    if validations is not None and len(tested):
        at_best = float(tested[kept_place(as_vector(validations), "best")])
        if np.isfinite(at_best):
            return at_best
        if result is not None and np.isfinite(result):
            return float(result)
    tested = tested[np.isfinite(tested)]
    if len(tested):
        return float(tested[-1])
    return float("nan") if result is None or not np.isfinite(result) else float(result)


def predict_final(validation: float, trends: Trends) -> float | None:
    """The final score predicted from a validation score: the mean final score of the nearest trend.

    Parameters
    ----------
    validation : float
        The model's score on the target, at the stage of the trends.
    trends : Trends
        Its trends on the benchmark datasets.

    Returns
    -------
    float or None
        None without trends, or for a validation score that is NaN. Ties go to the trend of lower validation.

    Notes
    -----
    Cui et al., Eqs. 5 and 6.

    Examples
    --------
    >>> predict_final(0.35, convergence_trends([0.2, 0.3, 0.8], [0.4, 0.6, 0.9], clusters=2))
    0.5
    """
    if len(trends.validation) == 0 or np.isnan(validation):
        return None
    return float(trends.final[np.abs(trends.validation - validation).argmin()])
