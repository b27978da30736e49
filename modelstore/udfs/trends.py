"""Convergence trends: what validation scores on the benchmark datasets foretell of final scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Trends = tuple[NDArray[np.float64], NDArray[np.float64]]


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

    validations, finals: (datasets,) scores; a dataset with NaN or None in either is left out. Returns two
    arrays (clusters,), in order of rising validation; fewer where there are fewer distinct validation scores,
    empty where no dataset is left. ValueError: lengths that differ, an infinite score, clusters < 1.
    """
    validation, final = _one_dimensional(validations), _one_dimensional(finals)
    if validation.shape != final.shape:
        raise ValueError(f"{len(validation)} validation scores need as many final ones, not {len(final)}")
    known = ~(np.isnan(validation) | np.isnan(final))
    validation, final = validation[known], final[known]
    if not np.isfinite(final).all():
        raise ValueError("final scores must be finite, or missing")
    labels = kmeans_1d(validation, clusters)
    sizes = np.bincount(labels)
    return np.bincount(labels, validation) / sizes, np.bincount(labels, final) / sizes


def predict_final(validation: float, trends: Trends) -> float | None:
    """The mean final score of the trend whose mean validation is nearest (Eqs. 5 and 6 of Cui et al.).

    Ties go to the lower validation. No trends, or a validation score that is NaN: None.
    """
    means, finals = trends
    if len(means) == 0 or np.isnan(validation):
        return None
    return float(finals[np.abs(means - validation).argmin()])


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
