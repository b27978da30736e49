"""The performance matrix as a heat map, and how its models join to clusters."""

import base64

import numpy as np
from numpy.typing import NDArray

from modelstore.options import ClusterOptions
from modelstore.recall.distances import FAR, PerformanceDistances
from modelstore.recall.linkage import KeptDistances, Merges, dendrogram
from modelstore.records import Matrix
from modelstore.report.contents import HeatMap, Leaf, Merger, Tree
from modelstore.store import Store

MODELS, DATASETS = 1_000, 300  # of more, those with the best means, and those with the most models
LEAVES = 100  # of a dendrogram; more branches are drawn as one
STEPS = 65_534  # of a cell's number; the one after is for no score


def heat_map(store: Store, matrix: Matrix) -> HeatMap | None:
    """The heat map of a matrix; None where there are no scores."""
    shown = _shown(matrix)
    if not shown.models:
        return None
    clusters = store.clusters.of(shown.models).cluster.astype(int)
    order = np.lexsort((-np.nanmean(shown.scores, axis=1), clusters, clusters == 0))
    scores = shown.scores[order]
    low, high = np.nanmin(scores, axis=0), np.nanmax(scores, axis=0)
    return HeatMap(
        models=[shown.models[row] for row in order],
        clusters=clusters[order].tolist(),
        datasets=shown.datasets,
        low=low.tolist(),
        high=high.tolist(),
        cells=_encoded(scores, low, high),
        of_models=len(matrix.models),
        of_datasets=len(matrix.datasets),
    )


def tree(store: Store, matrix: Matrix) -> Tree | None:
    """The dendrogram of the models of the heat map; None for fewer than two.

    It is by performance, with the ``top_k`` of the clustering on record; its threshold is that clustering's, unless
    that compared cards.
    """
    shown = _shown(matrix)
    if len(shown.models) < 2:
        return None
    made = store.clusters.options()
    options = ClusterOptions.of(made) if made else ClusterOptions()
    merges = dendrogram(KeptDistances(PerformanceDistances(shown.scores, options.top_k)))
    threshold = store.clusters.threshold() if options.similarity == "performance" else None
    clusters = store.clusters.of(shown.models).cluster.astype(int)
    return _drawn(merges, shown.models, np.nanmean(shown.scores, axis=1), clusters, threshold)


def clusters_made_by(store: Store) -> str | None:
    """How the clustering on record was made, in words; None where that is not known."""
    made = store.clusters.options()
    if not made:
        return None
    by = "by their cards" if made.get("similarity") == "text" else "by performance"
    return f"{made.get('method', 'hierarchical')} clustering {by}"


def _shown(matrix: Matrix) -> Matrix:
    """The part of a matrix that is shown, its models and datasets in their order."""
    known = np.isfinite(matrix.scores)
    columns = np.sort(np.argsort(-known.sum(axis=0), kind="stable")[:DATASETS])
    rows = np.flatnonzero(known[:, columns].any(axis=1))
    means = np.nanmean(matrix.scores[rows][:, columns], axis=1) if len(rows) else np.empty(0)
    rows = np.sort(rows[np.argsort(-means, kind="stable")[:MODELS]])
    columns = columns[known[np.ix_(rows, columns)].any(axis=0)]
    return Matrix(
        [matrix.models[row] for row in rows],
        [matrix.datasets[column] for column in columns],
        matrix.scores[np.ix_(rows, columns)],
    )


def _encoded(scores: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    """Scores (models, datasets) as `HeatMap.cells`."""
    span = np.where(high > low, high - low, 1.0)
    steps = np.rint((scores - low) / span * STEPS)
    numbers = np.where(np.isnan(steps), STEPS + 1, steps).astype("<u2")
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _drawn(
    merges: Merges,
    models: list[str],
    means: NDArray[np.float64],
    clusters: NDArray[np.intp],
    threshold: float | None,
) -> Tree:
    """A dendrogram whose lowest branches are leaves where there are more than `LEAVES` models."""
    by_height = np.argsort(merges.height, kind="stable").tolist()
    members = {model: [model] for model in range(len(models))}
    hidden = max(len(models) - LEAVES, 0)
    for one in by_height[:hidden]:
        members[int(merges.left[one])] += members.pop(int(merges.right[one]))
    # A leaf of several models begins at the height at which they have joined.
    joined = {int(merges.left[one]): _height(merges, one) for one in by_height[:hidden]}
    order = _order(merges, by_height[hidden:], list(members))
    leaves = [_leaf(members[first], models, means, clusters, joined.get(first, 0.0)) for first in order]
    branch = {first: number for number, first in enumerate(order)}
    mergers = []
    for number, one in enumerate(by_height[hidden:], len(leaves)):
        left, right = int(merges.left[one]), int(merges.right[one])
        mergers.append(Merger(_height(merges, one), branch[left], branch[right]))
        branch[left] = number
    return Tree(leaves, mergers, threshold, len(models))


def _order(merges: Merges, rows: list[int], firsts: list[int]) -> list[int]:
    """The leaves, by their first models, so that no branches cross."""
    branches = {first: [first] for first in firsts}
    for one in rows:
        branches[int(merges.left[one])] += branches.pop(int(merges.right[one]))
    return [first for branch in branches.values() for first in branch]


def _height(merges: Merges, row: int) -> float | None:
    height = float(merges.height[row])
    return None if height >= FAR / merges.models**2 else height


def _leaf(
    rows: list[int],
    models: list[str],
    means: NDArray[np.float64],
    clusters: NDArray[np.intp],
    height: float | None,
) -> Leaf:
    best = max(rows, key=lambda row: means[row])
    found = {int(clusters[row]) for row in rows}
    return Leaf(models[best], len(rows), found.pop() if len(found) == 1 else None, height)
