"""The store at a glance: what a report shows of it, as rows that are counted, ranked and joined by DuckDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from modelstore.store.repository import Repository

_CELLS = (
    "(SELECT model, dataset, avg(score) AS score FROM main.benchmark_results "
    "WHERE isfinite(score) AND coalesce(recipe, 'default') = $recipe GROUP BY ALL)"
)


class ModelRow(NamedTuple):
    """A model that is registered or on record; ``mean`` is over the ``datasets`` that it has scores on."""

    name: str
    registered: bool
    modality: str | None
    architecture: str | None
    parameters: int | None
    cluster: int | None
    representative: str | None
    datasets: int
    mean: float | None


class DatasetRow(NamedTuple):
    """A dataset that is registered or on record; ``best_model`` is the best of the ``models`` with a score."""

    name: str
    registered: bool
    task: str | None
    metric: str | None
    train_rows: int | None
    validation_rows: int | None
    test_rows: int | None
    models: int
    best_model: str | None
    best_score: float | None


class SelectionRow(NamedTuple):
    """A selection as it is logged; ``arms`` counts the pairs of model and recipe that it has decided on."""

    id: int
    dataset: str | None
    method: str | None
    options: str | None
    recorded_as: str | None
    status: str | None
    reason: str | None
    model: str | None
    recipe: str | None
    epochs: float | None
    seconds: float | None
    started: datetime | None
    finished: datetime | None
    arms: int
    stages: int


class StageRow(NamedTuple):
    """A decision of a selection; ``arm`` is the model, with its recipe where several compete."""

    selection: int
    arm: str
    stage: int
    validation: float | None
    predicted: float | None
    deviation: float | None
    action: str | None
    reason: str | None


class ProxyRow(NamedTuple):
    """How well a proxy ranks the ``models`` that have both its score and a final score on a dataset.

    ``spearman`` is None for fewer than three models, and where all are alike.
    """

    proxy: str
    dataset: str
    models: int
    spearman: float | None


class ProxyPoint(NamedTuple):
    """The newest score of a model by a proxy on a dataset, and its final score there."""

    model: str
    proxy_score: float
    score: float


@dataclass(frozen=True)
class Counts:
    """How many rows the store has of each kind; ``curves`` counts pairs of model and dataset."""

    models: int
    datasets: int
    results: int
    curves: int
    proxy_scores: int
    clusters: int
    selections: int


class Overview(Repository):
    """Reads all tables of records; changes none."""

    def counts(self) -> Counts:
        """How many rows the store has of each kind."""
        [row] = self._rows(
            "SELECT (SELECT count(*) FROM main.models), (SELECT count(*) FROM main.datasets), "
            "(SELECT count(*) FROM main.benchmark_results), "
            "(SELECT count(DISTINCT (model, dataset)) FROM main.training_curves), "
            "(SELECT count(*) FROM main.proxy_scores), "
            "(SELECT count(DISTINCT cluster) FROM main.model_clusters), (SELECT count(*) FROM main.selections)"
        )
        return Counts(*row)

    def recipes(self) -> list[tuple[str, int]]:
        """(recipe, number of its finite scores), the most first; of equals, the first by name."""
        rows = self._rows(
            "SELECT coalesce(recipe, 'default') AS name, count(*) FROM main.benchmark_results WHERE isfinite(score) "
            "GROUP BY name ORDER BY count(*) DESC, name"
        )
        return [(recipe, count) for recipe, count in rows]

    def models(self, recipe: str, most: int) -> tuple[list[ModelRow], int]:
        """At most so many models, the best mean of the recipe's scores first, and how many there are."""
        rows = self._rows(
            f"""
            WITH means AS (
                SELECT model, avg(score ORDER BY dataset) AS mean, count(*) AS datasets FROM {_CELLS} GROUP BY model
            ), named AS (
                SELECT name FROM main.models UNION SELECT model FROM means
                UNION SELECT model FROM main.model_clusters
            )
            SELECT named.name, models.name IS NOT NULL, modality, architecture, parameters, cluster, representative,
                   coalesce(datasets, 0), mean, count(*) OVER ()
            FROM named LEFT JOIN main.models AS models USING (name)
            LEFT JOIN means ON means.model = named.name
            LEFT JOIN main.model_clusters AS clusters ON clusters.model = named.name
            ORDER BY mean DESC NULLS LAST, named.name LIMIT $most
            """,
            {"recipe": recipe, "most": most},
        )
        return [ModelRow(*row[:-1]) for row in rows], rows[0][-1] if rows else 0

    def datasets(self, recipe: str, most: int) -> tuple[list[DatasetRow], int]:
        """At most so many datasets, the most models with scores first, and how many there are."""
        rows = self._rows(
            f"""
            WITH cells AS (
                SELECT dataset, count(*) AS models, first(model ORDER BY score DESC, model) AS best_model,
                       max(score) AS best_score
                FROM {_CELLS} GROUP BY dataset
            ), named AS (SELECT name FROM main.datasets UNION SELECT dataset FROM cells)
            SELECT named.name, datasets.name IS NOT NULL, task, metric, train_rows, validation_rows, test_rows,
                   coalesce(models, 0), best_model, best_score, count(*) OVER ()
            FROM named LEFT JOIN main.datasets AS datasets USING (name)
            LEFT JOIN cells ON cells.dataset = named.name
            ORDER BY coalesce(models, 0) DESC, named.name LIMIT $most
            """,
            {"recipe": recipe, "most": most},
        )
        return [DatasetRow(*row[:-1]) for row in rows], rows[0][-1] if rows else 0

    def selections(self, most: int) -> list[SelectionRow]:
        """At most so many selections, the newest first."""
        rows = self._rows(
            """
            SELECT id, dataset, method, options, recorded_as, status, reason, model, recipe, epochs, seconds,
                   started_at, finished_at, coalesce(arms, 0), coalesce(stages, 0)
            FROM main.selections LEFT JOIN (
                SELECT selection, count(DISTINCT (model, recipe)) AS arms, max(stage) AS stages
                FROM main.selection_stages GROUP BY selection
            ) AS decided ON selection = id
            ORDER BY id DESC LIMIT ?
            """,
            [most],
        )
        return [SelectionRow(*row) for row in rows]

    def stages(self, selections: Sequence[int]) -> list[StageRow]:
        """The decisions of some selections, each selection's by arm and stage."""
        rows = self._rows(
            "SELECT selection, if(s.recipes IS NULL OR d.recipe IS NULL, d.model, d.model || ' · ' || d.recipe) "
            "AS arm, stage, validation, predicted, deviation, action, d.reason "
            "FROM main.selection_stages AS d JOIN main.selections AS s ON s.id = d.selection "
            "WHERE list_contains(?, selection) AND d.model IS NOT NULL AND stage IS NOT NULL "
            "ORDER BY selection, arm, stage, d.rowid",
            [list(selections)],
        )
        return [StageRow(*row) for row in rows]

    def proxies(self, recipe: str, most: int) -> tuple[list[ProxyRow], int]:
        """How well each proxy ranks models on each dataset.

        Parameters
        ----------
        recipe
            Whose scores are the final ones.
        most
            How many rows are wanted.

        Returns
        -------
        tuple
            The rows, the most models first, and how many there are of them.
        """
        rows = self._rows(
            f"""
            WITH points AS ({self._points()}), ranked AS (
                SELECT proxy, dataset,
                       rank() OVER by_proxy + (count(*) OVER like_proxy - 1) / 2 AS proxy_rank,
                       rank() OVER by_score + (count(*) OVER like_score - 1) / 2 AS score_rank
                FROM points
                WINDOW by_proxy AS (PARTITION BY proxy, dataset ORDER BY proxy_score),
                       by_score AS (PARTITION BY proxy, dataset ORDER BY score),
                       like_proxy AS (PARTITION BY proxy, dataset, proxy_score),
                       like_score AS (PARTITION BY proxy, dataset, score)
            )
            SELECT proxy, dataset, count(*) AS models,
                   if(count(*) > 2 AND stddev_pop(proxy_rank) > 0 AND stddev_pop(score_rank) > 0,
                      corr(proxy_rank, score_rank), NULL),
                   count(*) OVER ()
            FROM ranked GROUP BY proxy, dataset ORDER BY models DESC, proxy, dataset LIMIT $most
            """,
            {"recipe": recipe, "most": most},
        )
        return [ProxyRow(*row[:-1]) for row in rows], rows[0][-1] if rows else 0

    def proxy_points(self, recipe: str, proxy: str, dataset: str, most: int) -> list[ProxyPoint]:
        """At most so many models with a score by a proxy on a dataset and a final one, the best final score first."""
        rows = self._rows(
            f"SELECT model, proxy_score, score FROM ({self._points()}) WHERE proxy = $proxy AND dataset = $dataset "
            "ORDER BY score DESC, model LIMIT $most",
            {"recipe": recipe, "proxy": proxy, "dataset": dataset, "most": most},
        )
        return [ProxyPoint(*row) for row in rows]

    def _points(self) -> str:
        """SQL of the newest score of each model by each proxy on each dataset, with its final score there."""
        return (
            "SELECT cells.model, cells.dataset, proxy, proxy_score, cells.score FROM ("
            "SELECT model, dataset, lower(proxy) AS proxy, "
            "arg_max(score, (coalesce(created_at, TIMESTAMP '1970-01-01'), rows, score)) AS proxy_score "
            "FROM main.proxy_scores WHERE isfinite(score) GROUP BY model, dataset, lower(proxy)"
            f") AS newest JOIN {_CELLS} AS cells USING (model, dataset)"
        )
