"""Convergence trends: what validation scores on the benchmark datasets foretell of final scores."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Trends(NamedTuple):
    """A model's trends at one stage, in order of rising validation."""

    validation: NDArray[np.float64]  # (trends,): the mean validation score of its datasets at the stage
    final: NDArray[np.float64]  # (trends,): their mean final score
    labels: NDArray[np.intp]  # (datasets,): the trend of each, from 0; −1 where a score is missing


def kmeans_1d(values: ArrayLike, clusters: int) -> NDArray[np.intp]:
    """The clustering of numbers on a line that has the least squared distance to its cluster means.

    Exact, by dynamic programming over the sorted values (Wang & Song, "Ckmeans.1d.dp", R Journal 2011), in
    O(clusters · n²) time and O(n²) memory.

    values: (n,). Returns (n,) labels from 0, in order of the clusters' means; equal values have equal labels.
    Fewer distinct values than `clusters`: one cluster for each. Of equally good clusterings, that whose
    upper clusters are the larger. No values: no labels. ValueError: a value that is not finite, clusters < 1.
    """
    x = _one_dimensional(values)
    if not np.isfinite(x).all():
        raise ValueError("values to cluster must be finite")
    if clusters < 1:
        raise ValueError(f"there must be at least one cluster, not {clusters}")
    if x.size == 0:
        return np.empty(0, dtype=np.intp)
    distinct, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    clusters = min(clusters, len(distinct))
    costs = _costs(distinct - x.mean(), counts)
    best = costs[0]  # best[j]: the least cost of distinct[: j + 1] in the clusters so far
    starts = []  # starts[c][j]: where the last of c + 2 clusters begins then
    for _ in range(clusters - 1):
        # The last cluster is i … j, those before it hold 0 … i − 1.
        options = costs + np.concatenate([[np.inf], best[:-1]])[:, None]
        starts.append(options.argmin(axis=0))
        best = options.min(axis=0)
    labels = np.zeros(len(distinct), dtype=np.intp)
    end = len(distinct)
    for cluster in range(clusters - 1, 0, -1):
        start = int(starts[cluster - 1][end - 1])
        labels[start:end] = cluster
        end = start
    return labels[inverse]


def convergence_trends(validations: ArrayLike, finals: ArrayLike, clusters: int = 4) -> Trends:
    """A model's trends at one stage: the mean validation and the mean final score of each cluster of
    datasets.

    Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection", section IV C: the datasets
    are clustered by the model's validation score at that stage.

    validations, finals: (datasets,) scores; a dataset with NaN or None in either is left out. Returns as many
    trends as `clusters`; fewer where there are fewer distinct validation scores, none where no dataset is
    left. ValueError: lengths that differ, an infinite score, clusters < 1.
    """
    validation, final = _one_dimensional(validations), _one_dimensional(finals)
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
) -> Trends:
    """`convergence_trends` of a model at an epoch, from its recorded runs.

    curves: of each dataset the (epochs, validations, tests), each (points,), by rising epoch. results: of
    each the recorded final score, for want of a test on its curve. A dataset whose curve does not reach the
    epoch, or that has no final score, is left out. ValueError as `convergence_trends`.
    """
    runs = list(curves)
    validations = [validation_at(epochs, scores, epoch) for epochs, scores, _ in runs]
    finals = [final_score(tests, result) for (_, _, tests), result in zip(runs, results, strict=True)]
    return convergence_trends(validations, finals, clusters)


def validation_at(epochs: ArrayLike, validations: ArrayLike, epoch: float) -> float:
    """A curve's validation score at an epoch (a fraction where stages are shorter than one).

    epochs: (points,), rising; validations: (points,). Between two points it is interpolated; NaN before the
    first and after the last: what was not observed is no evidence.
    """
    return float(np.interp(epoch, _one_dimensional(epochs), _one_dimensional(validations), np.nan, np.nan))


def final_score(tests: ArrayLike, result: float | None) -> float:
    """The last test score of a curve, (points,), or the recorded result where none is finite; NaN for
    neither."""
    tested = _one_dimensional(tests)
    tested = tested[np.isfinite(tested)]
    if len(tested):
        return float(tested[-1])
    return float("nan") if result is None else float(result)


def predict_final(validation: float, trends: Trends) -> float | None:
    """The mean final score of the trend whose mean validation is nearest (Eqs. 5 and 6 of Cui et al.).

    Ties go to the lower validation. No trends, or a validation score that is NaN: None.
    """
    if len(trends.validation) == 0 or np.isnan(validation):
        return None
    return float(trends.final[np.abs(trends.validation - validation).argmin()])


def _costs(distinct: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, n): the squared distance of distinct[i … j] to its mean; infinite for i > j."""
    sizes, sums, squares = (
        np.subtract.outer(total[1:], total[:-1]).T
        for total in (
            np.concatenate([[0.0], np.cumsum(terms)])
            for terms in (counts, counts * distinct, counts * distinct**2)
        )
    )
    costs = np.full(sizes.shape, np.inf)
    ordered = np.triu_indices(len(distinct))
    costs[ordered] = np.maximum(squares[ordered] - sums[ordered] ** 2 / sizes[ordered], 0)
    return costs


def _one_dimensional(values: ArrayLike) -> NDArray[np.float64]:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("scores must be numbers") from None
    if x.ndim != 1:
        raise ValueError(f"scores must be a list, not of {x.ndim} dimensions")
    return x
