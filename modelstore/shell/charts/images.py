"""The pictures of `.plot`, as PNG or SVG files: they need matplotlib, which `pip install modelstore[plot]` brings."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from modelstore.shell.charts.selections import by_outcome
from modelstore.shell.render.messages import ShellError
from modelstore.store.store import Store

_INCHES_A_NAME = 0.22
_MOST = 400  # models: more cannot be told apart


def _axes(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ShellError("pictures need matplotlib: pip install 'modelstore[plot]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # drawn as boxes
            figure.savefig(path, dpi=150)
    except OSError as error:
        raise ShellError(f'"{path}" cannot be written: {error.strerror or error}') from None


def selection(store: Store, number: int, path: Path) -> None:
    """Draws a selection's validation by stage, a line a model; × marks where one was dropped, ★ the winner.

    Raises ``ShellError`` where there is nothing to draw.
    """
    validated = {
        model: [d for d in decisions if d.validation is not None]
        for model, decisions in store.selections.decisions(number).items()
    }
    models = by_outcome({model: decisions for model, decisions in validated.items() if decisions})
    if not models:
        raise ShellError(f"selection {number} has no finished stage to draw: .selections lists them")
    figure, axes = _axes(8, 5)
    for model, decisions in models.items():
        stages, validations = [d.stage for d in decisions], [d.validation for d in decisions]
        [line] = axes.plot(stages, validations, marker=".", label=model)
        action = decisions[-1].action
        if action in ("dropped", "won"):
            mark = {"marker": "x", "s": 60} if action == "dropped" else {"marker": "*", "s": 180}
            axes.scatter(stages[-1], validations[-1], color=line.get_color(), zorder=3, **mark)
    axes.set_xlabel("stage")
    axes.set_ylabel("validation")
    axes.set_xticks(range(1, max(decisions[-1].stage for decisions in models.values()) + 1))
    axes.set_title(f"selection {number}: × dropped, ★ won")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def _scores(store: Store, recipe: str) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """The matrix of a recipe, its models ordered by cluster and then by mean score.

    Returns (models, datasets, scores of shape (models, datasets), the cluster of each model, 0 for none).
    Raises ``ShellError``.
    """
    matrix = store.results.matrix(recipe)
    if not matrix.models:
        raise ShellError(f'there is no result of recipe "{recipe}" on record')
    if len(matrix.models) > _MOST:
        raise ShellError(
            f"{len(matrix.models):,} models are too many for one picture: at most {_MOST} can be told apart"
        )
    clusters = store.clusters.of(matrix.models).cluster
    order = np.lexsort((-np.nanmean(matrix.scores, axis=1), clusters, clusters == 0))
    models = [matrix.models[row] for row in order]
    return models, matrix.datasets, matrix.scores[order], clusters[order]


def matrix(store: Store, recipe: str, path: Path) -> None:
    """Draws the performance matrix as a heat map; lines part the clusters. Raises ``ShellError``."""
    models, datasets, scores, clusters = _scores(store, recipe)
    figure, axes = _axes(3 + _INCHES_A_NAME * len(datasets), 2 + _INCHES_A_NAME * len(models))
    image = axes.imshow(scores, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(models)), models, fontsize="x-small")
    axes.set_xticks(range(len(datasets)), datasets, fontsize="x-small", rotation=90)
    for row in range(1, len(models)):
        if clusters[row] != clusters[row - 1]:
            axes.axhline(row - 0.5, color="white", linewidth=1.5)
    figure.colorbar(image, label="score")
    _save(figure, path)


def dendrogram(store: Store, recipe: str, path: Path) -> None:
    """Draws how hierarchical clustering joins the models: average linkage of 1 − similarity (Cui et al., Eq. 1).

    Raises ``ShellError``.
    """
    from scipy.cluster.hierarchy import dendrogram as draw
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    from modelstore.options import ClusterOptions
    from modelstore.udfs.similarity import similarities

    models, _, scores, _ = _scores(store, recipe)
    if len(models) < 2:
        raise ShellError("a dendrogram is of two models or more")
    distances = np.maximum(1 - similarities(scores, scores, ClusterOptions.top_k), 0)
    known = distances[np.isfinite(distances)]
    # Models that share no dataset are joined last.
    distances = np.where(np.isfinite(distances), distances, 1.5 * known.max(initial=0.1))
    np.fill_diagonal(distances, 0)
    figure, axes = _axes(8, 2 + _INCHES_A_NAME * len(models))
    tree = linkage(squareform(distances, checks=False), method="average")
    draw(
        tree,
        labels=models,
        orientation="right",
        ax=axes,
        color_threshold=ClusterOptions.threshold,
    )
    axes.set_xlabel("1 − similarity")
    _save(figure, path)
