"""The pictures of `.plot`, as PNG or SVG: they need matplotlib, which `pip install modelstore[plot]` brings."""

from pathlib import Path
from typing import Any

import numpy as np

from modelstore.connection import Connection
from modelstore.shell.render.messages import ShellError

_INCHES_A_NAME = 0.22
_MOST = 400  # more models than that are a blur


def _axes(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ShellError("pictures need matplotlib: pip install 'modelstore[plot]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise ShellError(f'"{path}" cannot be written: {error.strerror or error}') from None


def selection(connection: Connection, number: int, path: Path) -> None:
    """A selection's validation by stage, a line a model; × marks where one was dropped, ★ who won."""
    rows = connection.execute(
        "SELECT model, list(stage ORDER BY stage), list(validation ORDER BY stage), arg_max(action, stage) "
        "FROM selection_stages WHERE selection = ? AND validation IS NOT NULL GROUP BY model "
        "ORDER BY max(stage) DESC, arg_max(validation, stage) DESC, model",
        [number],
    ).fetchall()
    if not rows:
        raise ShellError(f"selection {number} has no finished stage to draw: .selections lists them")
    figure, axes = _axes(8, 5)
    for model, stages, validations, action in rows:
        [line] = axes.plot(stages, validations, marker=".", label=model)
        if action in ("dropped", "won"):
            mark = {"marker": "x", "s": 60} if action == "dropped" else {"marker": "*", "s": 180}
            axes.scatter(stages[-1], validations[-1], color=line.get_color(), zorder=3, **mark)
    axes.set_xlabel("stage")
    axes.set_ylabel("validation")
    axes.set_xticks(range(1, max(max(row[1]) for row in rows) + 1))
    axes.set_title(f"selection {number}: × dropped, ★ won")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def _scores(connection: Connection, recipe: str) -> tuple[list[str], list[str], np.ndarray]:
    """(models, datasets, scores with NaN where there is none), the models by cluster, then by mean score."""
    rows = connection.execute(
        "SELECT model, dataset, score FROM performance_matrix LEFT JOIN model_clusters USING (model) "
        "WHERE recipe = ? ORDER BY cluster NULLS LAST, avg(score) OVER (PARTITION BY model) DESC, model, dataset",
        [recipe],
    ).fetchall()
    if not rows:
        raise ShellError(f'there is no result of recipe "{recipe}" on record')
    models = list(dict.fromkeys(row[0] for row in rows))
    if len(models) > _MOST:
        raise ShellError(
            f"{len(models):,} models are too many for one picture: at most {_MOST} can be told apart"
        )
    datasets = sorted({row[1] for row in rows})
    of_model = {name: i for i, name in enumerate(models)}
    of_dataset = {name: i for i, name in enumerate(datasets)}
    scores = np.full((len(models), len(datasets)), np.nan)
    for model, dataset, score in rows:
        scores[of_model[model], of_dataset[dataset]] = score
    return models, datasets, scores


def matrix(connection: Connection, recipe: str, path: Path) -> None:
    """The performance matrix as a heat map; lines part the clusters."""
    models, datasets, scores = _scores(connection, recipe)
    clusters = dict(connection.execute("SELECT model, cluster FROM model_clusters").fetchall())
    figure, axes = _axes(3 + _INCHES_A_NAME * len(datasets), 2 + _INCHES_A_NAME * len(models))
    image = axes.imshow(scores, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(models)), models, fontsize="x-small")
    axes.set_xticks(range(len(datasets)), datasets, fontsize="x-small", rotation=90)
    for row in range(1, len(models)):
        if clusters.get(models[row]) != clusters.get(models[row - 1]):
            axes.axhline(row - 0.5, color="white", linewidth=1.5)
    figure.colorbar(image, label="score")
    _save(figure, path)


def dendrogram(connection: Connection, recipe: str, path: Path) -> None:
    """How hierarchical clustering joins the models: average linkage of 1 − similarity (Eq. 1)."""
    from scipy.cluster.hierarchy import dendrogram as draw
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    from modelstore.options import ClusterOptions
    from modelstore.udfs.similarity import similarities

    models, _, scores = _scores(connection, recipe)
    if len(models) < 2:
        raise ShellError("a dendrogram is of two models or more")
    distances = np.maximum(1 - similarities(scores, scores, ClusterOptions().top_k), 0)
    known = distances[np.isfinite(distances)]
    # Models without a common dataset are joined last.
    distances = np.where(np.isfinite(distances), distances, 1.5 * known.max(initial=0.1))
    np.fill_diagonal(distances, 0)
    figure, axes = _axes(8, 2 + _INCHES_A_NAME * len(models))
    tree = linkage(squareform(distances, checks=False), method="average")
    draw(
        tree,
        labels=models,
        orientation="right",
        ax=axes,
        color_threshold=ClusterOptions().threshold,
    )
    axes.set_xlabel("1 − similarity")
    _save(figure, path)
