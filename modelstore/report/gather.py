"""Gathers what a page shows from a store."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import modelstore
from modelstore.errors import NotFoundError, did_you_mean
from modelstore.report.contents import Cell, Column, Page, Scatter, Table
from modelstore.report.matrix import clusters_made_by, heat_map, tree
from modelstore.report.races import cost_of, races
from modelstore.store import Store
from modelstore.store.overview import DatasetRow, ModelRow, ProxyRow, SelectionRow

MODELS, DATASETS, SELECTIONS = 20_000, 20_000, 500
PROXIES, SCATTERS, POINTS = (
    500,
    12,
    1_000,
)  # rows of the table; pairs of proxy and dataset that are drawn; their models

_SELECTIONS = (
    Column("selection", "count"),
    Column("dataset", "name"),
    Column("strategy", "text"),
    Column("status", "text"),
    Column("winner", "name"),
    Column("models", "count"),
    Column("epochs", "number"),
    Column("of brute force", "share"),
    Column("time", "seconds"),
    Column("started", "time"),
)
_MODELS = (
    Column("model", "name"),
    Column("mean score", "score"),
    Column("datasets", "count"),
    Column("cluster", "count"),
    Column("representative", "name"),
    Column("architecture", "text"),
    Column("modality", "text"),
    Column("parameters", "count"),
    Column("registered", "yes"),
)
_DATASETS = (
    Column("dataset", "name"),
    Column("models", "count"),
    Column("best score", "score"),
    Column("best model", "name"),
    Column("metric", "text"),
    Column("task", "text"),
    Column("train rows", "count"),
    Column("validation rows", "count"),
    Column("test rows", "count"),
    Column("registered", "yes"),
)
_PROXIES = (
    Column("proxy", "text"),
    Column("dataset", "name"),
    Column("models", "count"),
    Column("rank correlation", "score"),
)


def page_of(store: Store, title: str, recipe: str | None = None, renew: float | None = None) -> Page:
    """What a page shows of a store.

    Parameters
    ----------
    store
        The store.
    title
        What the page calls it.
    recipe
        Whose scores are shown; None for the recipe with the most.
    renew
        After how many seconds the page loads itself again; None for never.

    Returns
    -------
    Page
        The contents.

    Raises
    ------
    NotFoundError
        There is no score of the recipe.
    """
    recipe, others = _recipe(store, recipe)
    overview = store.overview
    matrix = store.results.matrix(recipe)
    selections = overview.selections(SELECTIONS)
    models, of_models = overview.models(recipe, MODELS)
    datasets, of_datasets = overview.datasets(recipe, DATASETS)
    proxies, of_proxies = overview.proxies(recipe, PROXIES)
    counts = overview.counts()
    return Page(
        title=title,
        made=datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
        version=modelstore.__version__,
        renew=renew,
        recipe=recipe,
        other_recipes=others,
        counts=asdict(counts),
        selections=Table(_SELECTIONS, [_selection(store, one) for one in selections], counts.selections),
        races=races(store, selections),
        heat_map=heat_map(store, matrix),
        tree=tree(store, matrix),
        clusters_by=clusters_made_by(store),
        models=Table(_MODELS, list(map(_model, models)), of_models),
        datasets=Table(_DATASETS, list(map(_dataset, datasets)), of_datasets),
        proxies=Table(_PROXIES, proxies, of_proxies),
        scatters=_scatters(store, recipe, proxies),
    )


def _recipe(store: Store, wanted: str | None) -> tuple[str, list[str]]:
    """The recipe that is shown, and the others with scores."""
    recorded = [recipe for recipe, _ in store.overview.recipes()]
    if wanted is None:
        wanted = recorded[0] if recorded else "default"
    elif wanted not in recorded:
        hint = did_you_mean(wanted, recorded)
        raise NotFoundError(f'there is no score of the recipe "{wanted}" to report{hint}')
    return wanted, [recipe for recipe in recorded if recipe != wanted]


def _selection(store: Store, one: SelectionRow) -> Sequence[Cell]:
    cost = cost_of(store, one)
    share = cost.epochs / cost.brute_epochs if cost.epochs is not None and cost.brute_epochs else None
    started = one.started.strftime("%Y-%m-%d %H:%M") if one.started else None
    return (
        one.id,
        one.dataset,
        one.method,
        one.status,
        one.model,
        one.arms,
        cost.epochs,
        share,
        cost.seconds,
        started,
    )


def _model(row: ModelRow) -> Sequence[Cell]:
    return (
        row.name,
        row.mean,
        row.datasets,
        row.cluster,
        row.representative,
        row.architecture,
        row.modality,
        row.parameters,
        row.registered,
    )


def _dataset(row: DatasetRow) -> Sequence[Cell]:
    return (
        row.name,
        row.models,
        row.best_score,
        row.best_model,
        row.metric,
        row.task,
        row.train_rows,
        row.validation_rows,
        row.test_rows,
        row.registered,
    )


def _scatters(store: Store, recipe: str, proxies: Sequence[ProxyRow]) -> list[Scatter]:
    """The pairs of proxy and dataset with the most models, a point a model."""
    found = []
    for row in [row for row in proxies if row.models > 1][:SCATTERS]:
        points = store.overview.proxy_points(recipe, row.proxy, row.dataset, POINTS)
        models, proxy_scores, scores = zip(*points, strict=True)
        found.append(Scatter(row.proxy, row.dataset, models, proxy_scores, scores))
    return found
