"""What is on record: results, curves, proxy scores, clusters and recipes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np


@dataclass(frozen=True)
class Matrix:
    """Scores of ``models`` (rows) on ``datasets`` (columns), NaN where there is no record."""

    models: list[str]
    datasets: list[str]
    scores: np.ndarray

    def rows(self, names: Sequence[str]) -> np.ndarray:
        """The rows of ``names``, all NaN for those not on record: shape (len(names), datasets)."""
        index = {name: row for row, name in enumerate(self.models)}
        picked = np.full((len(names), len(self.datasets)), np.nan)
        for position, name in enumerate(names):
            if name in index:
                picked[position] = self.scores[index[name]]
        return picked


@dataclass(frozen=True)
class Curve:
    """A recorded run: ``epochs``, ``validations``, ``tests`` (NaN where not tested) and ``seconds`` by stage."""

    epochs: np.ndarray
    validations: np.ndarray
    tests: np.ndarray
    seconds: np.ndarray


class Records:
    """Reads and writes the tables of records. Records on ``excluding``, the target, are left out."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection

    def _rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values or []).fetchall()

    # --- results

    def matrix(
        self, recipe: str, excluding: str | None = None, models: Sequence[str] | None = None
    ) -> Matrix:
        """The performance matrix of a recipe, of all models on record or of ``models`` alone."""
        columns = self._connection.execute(
            "SELECT model, dataset, score FROM main.performance_matrix "
            "WHERE recipe = $recipe AND dataset IS DISTINCT FROM $excluding "
            "AND ($models IS NULL OR model IN (SELECT unnest($models)))",
            {
                "recipe": recipe,
                "excluding": excluding,
                "models": list(models) if models is not None else None,
            },
        ).fetchnumpy()
        names, row = np.unique(_text(columns["model"]), return_inverse=True)
        datasets, column = np.unique(_text(columns["dataset"]), return_inverse=True)
        scores = np.full((len(names), len(datasets)), np.nan)
        scores[row, column] = np.ma.filled(columns["score"].astype(float), np.nan)
        return Matrix(names.tolist(), datasets.tolist(), scores)

    def add_result(
        self,
        model: str,
        dataset: str,
        score: float,
        metric: str,
        recipe: str,
        seed: int,
        epochs: float,
        seconds: float,
    ) -> None:
        self._rows(
            "INSERT INTO main.benchmark_results (model, dataset, score, metric, recipe, seed, epochs, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, score, metric, recipe, seed, epochs, seconds],
        )

    def results_with_seed(self, recipe: str, seed: int) -> dict[tuple[str, str], float]:
        """The recorded score by (model, dataset) of the recipe's runs with this seed (a NULL seed is 0)."""
        rows = self._rows(
            "SELECT model, dataset, avg(score) FROM main.benchmark_results WHERE score IS NOT NULL "
            "AND coalesce(recipe, 'default') = ? AND coalesce(seed, 0) = ? GROUP BY ALL",
            [recipe, seed],
        )
        return {(model, dataset): score for model, dataset, score in rows}

    def datasets_in(self, table: str) -> list[str]:
        """The datasets that ``training_curves`` or ``proxy_scores`` has rows of."""
        return [name for (name,) in self._rows(f"SELECT DISTINCT dataset FROM main.{table}")]

    def count_of(self, column: str, name: str) -> int:
        """How many records there are of a model or a dataset (``column`` says which)."""
        tables = ("benchmark_results", "training_curves", "proxy_scores")
        counts = " + ".join(f"(SELECT count(*) FROM main.{table} WHERE {column} = $name)" for table in tables)
        return self._rows(f"SELECT {counts}", {"name": name})[0][0]  # type: ignore[arg-type]

    def add_failure(self, model: str, dataset: str, recipe: str, seed: int, reason: str) -> None:
        self._rows(
            "INSERT INTO main.benchmark_failures (model, dataset, recipe, seed, reason) VALUES (?, ?, ?, ?, ?)",
            [model, dataset, recipe, seed, reason],
        )

    # --- curves

    def add_curve(
        self, model: str, dataset: str, recipe: str, seed: int, points: Sequence[tuple[Any, ...]]
    ) -> None:
        """``points``: (stage, epoch, validation, test, train_loss, seconds); it takes an earlier run's place."""
        self._rows(
            "DELETE FROM main.training_curves WHERE model = ? AND dataset = ? "
            "AND coalesce(recipe, 'default') = ? AND seed = ?",
            [model, dataset, recipe, seed],
        )
        for point in points:
            self._rows(
                "INSERT INTO main.training_curves (model, dataset, stage, epoch, validation, test, train_loss, "
                "seconds, recipe, seed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [model, dataset, *point, recipe, seed],
            )

    def has_curve(self, model: str, dataset: str, recipe: str, seed: int) -> bool:
        rows = self._rows(
            "SELECT 1 FROM main.training_curves WHERE model = ? AND dataset = ? "
            "AND coalesce(recipe, 'default') = ? AND seed = ? LIMIT 1",
            [model, dataset, recipe, seed],
        )
        return bool(rows)

    def results_on(self, dataset: str, recipe: str) -> dict[str, float]:
        """The recorded score by model, the mean over its runs."""
        return dict(
            self._rows(
                "SELECT model, score FROM main.performance_matrix WHERE dataset = ? AND recipe = ?",
                [dataset, recipe],
            )
        )

    def results_of(self, model: str, recipe: str) -> dict[str, float]:
        """The recorded score by dataset, the mean over the model's runs."""
        return dict(
            self._rows(
                "SELECT dataset, score FROM main.performance_matrix WHERE model = ? AND recipe = ?",
                [model, recipe],
            )
        )

    def curves_on(self, dataset: str, models: Sequence[str], recipe: str, seed: int) -> dict[str, Curve]:
        """Each model's recorded curve on a dataset: the run with this seed, else the mean over its runs."""
        return {
            model: curve
            for model, _, curve in self._curves(
                "dataset = $dataset AND model IN (SELECT unnest($models))",
                {"dataset": dataset, "models": list(models), "recipe": recipe, "seed": seed},
            )
        }

    def curves_of(self, model: str, recipe: str, excluding: str | None) -> dict[str, Curve]:
        """A model's recorded curves by dataset, the mean over its runs."""
        return {
            dataset: curve
            for _, dataset, curve in self._curves(
                "model = $model AND dataset IS DISTINCT FROM $excluding",
                {"model": model, "excluding": excluding, "recipe": recipe, "seed": None},
            )
        }

    def _curves(self, where: str, values: dict[str, Any]) -> list[tuple[str, str, Curve]]:
        rows = self._rows(
            f"""
            WITH runs AS (
                SELECT *, coalesce(epoch, stage) AS reached,
                       coalesce(bool_or(seed = $seed) OVER pair, false) AS has_seed
                FROM main.training_curves
                WHERE coalesce(recipe, 'default') = $recipe AND isfinite(validation) AND {where}
                WINDOW pair AS (PARTITION BY model, dataset)
            ), points AS (
                SELECT model, dataset, reached, avg(validation) AS validation,
                       avg(test) FILTER (isfinite(test)) AS test, avg(seconds) AS seconds
                FROM runs WHERE NOT has_seed OR seed = $seed
                GROUP BY ALL
            )
            SELECT model, dataset, list(reached ORDER BY reached), list(validation ORDER BY reached),
                   list(test ORDER BY reached),
                   list(seconds ORDER BY reached)
            FROM points GROUP BY ALL
            """,
            values,  # type: ignore[arg-type]
        )
        return [
            (row[0], row[1], Curve(*(np.array(values, dtype=float) for values in row[2:]))) for row in rows
        ]

    # --- costs

    def add_telemetry(
        self,
        model: str,
        dataset: str,
        recipe: str,
        seed: int,
        device: str,
        rows_per_second: float,
        peak_memory: int | None,
    ) -> None:
        """What a run took of the machine: rows it trained on a second, and bytes."""
        self._rows(
            "INSERT INTO main.training_telemetry "
            "(model, dataset, recipe, seed, device, rows_per_second, peak_memory) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, recipe, seed, device, rows_per_second, peak_memory],
        )

    def peak_memory(self, recipe: str, device: str) -> dict[str, float]:
        """The most bytes that a model took in any run of the recipe on a device (auto: on any), by model."""
        rows = self._rows(
            "SELECT model, max(peak_memory) FROM main.training_telemetry WHERE recipe = $recipe "
            "AND ($device = 'auto' OR starts_with(device, $device)) AND peak_memory IS NOT NULL GROUP BY ALL",
            {"recipe": recipe, "device": device},  # type: ignore[arg-type]
        )
        return {model: float(size) for model, size in rows}

    def seconds_per_epoch(self, recipe: str) -> dict[tuple[str, str], float]:
        """The mean seconds that an epoch took by (model, dataset), of the recorded pairs that say so."""
        rows = self._rows(
            "SELECT model, dataset, avg(seconds / epochs) FROM main.benchmark_results "
            "WHERE seconds > 0 AND epochs > 0 AND coalesce(recipe, 'default') = ? GROUP BY ALL",
            [recipe],
        )
        return {(model, dataset): seconds for model, dataset, seconds in rows}

    def seconds_per_work(self, recipe: str) -> float | None:
        """Seconds an epoch for each parameter and training row, over the recorded pairs that say so."""
        [(rate,)] = self._rows(
            "SELECT sum(r.seconds / r.epochs) / nullif(sum(m.parameters * d.train_rows), 0) "
            "FROM main.benchmark_results r JOIN main.models m ON m.name = r.model "
            "JOIN main.datasets d ON d.name = r.dataset "
            "WHERE r.seconds > 0 AND r.epochs > 0 AND m.parameters * d.train_rows > 0 "
            "AND coalesce(r.recipe, 'default') = ?",
            [recipe],
        )
        return rate

    def seconds_per_scoring_work(self) -> float | None:
        """Seconds for each parameter and row scored, over the stored proxy scores that say so."""
        [(rate,)] = self._rows(
            # Scores that were computed together each have the seconds of all.
            "SELECT sum(s.seconds) / sum(m.parameters * s.rows) FROM (SELECT DISTINCT model, dataset, rows, seconds "
            "FROM main.proxy_scores) s JOIN main.models m ON m.name = s.model "
            "WHERE s.seconds > 0 AND m.parameters * s.rows > 0"
        )
        return rate

    # --- proxy scores

    def proxy_seconds(self, dataset: str, models: Sequence[str]) -> float:
        """What scoring the models on a dataset took, by the newest stored score of each."""
        [(seconds,)] = self._rows(
            "SELECT coalesce(sum(seconds), 0) FROM ("
            "SELECT arg_max(seconds, created_at) AS seconds FROM main.proxy_scores "
            "WHERE dataset = ? AND model IN (SELECT unnest(?)) GROUP BY model)",
            [dataset, list(models)],
        )
        return float(seconds)

    def proxy_scores(self, dataset: str) -> dict[tuple[str, str], float]:
        """The newest stored score by (model, proxy) on a dataset."""
        rows = self._rows(
            "SELECT model, lower(proxy), arg_max(score, coalesce(created_at, TIMESTAMP '1970-01-01')) "
            "FROM main.proxy_scores WHERE dataset = ? AND score IS NOT NULL GROUP BY ALL",
            [dataset],
        )
        return {(model, proxy): score for model, proxy, score in rows}

    def add_proxy_score(
        self, model: str, dataset: str, proxy: str, score: float, rows: int, seconds: float
    ) -> None:
        self._rows(
            "INSERT INTO main.proxy_scores (model, dataset, proxy, score, rows, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            [model, dataset, proxy, score, rows, seconds],
        )

    def forget_proxy_scores(self, column: str, name: str) -> None:
        """The computed scores of a model or dataset that was replaced no longer hold."""
        self._rows(f"DELETE FROM main.proxy_scores WHERE {column} = ?", [name])

    # --- clusters

    def clusters(self) -> dict[str, tuple[int, str]]:
        """(cluster, representative) by model."""
        rows = self._rows("SELECT model, cluster, representative FROM main.model_clusters")
        return {model: (cluster, representative) for model, cluster, representative in rows}

    def replace_clusters(self, models: list[str], clusters: list[int], representatives: list[str]) -> None:
        self._rows("DELETE FROM main.model_clusters")
        self._rows(
            "INSERT INTO main.model_clusters SELECT unnest(?), unnest(?), unnest(?)",
            [models, clusters, representatives],
        )

    # --- recipes

    def recipe_options(self, recipe: str) -> dict[str, Any] | None:
        """The training options a recipe stands for; None where nobody has defined it."""
        rows = self._rows("SELECT options FROM main.recipes WHERE name = ?", [recipe])
        return json.loads(rows[0][0]) if rows else None

    def define_recipe(self, recipe: str, options: dict[str, Any]) -> None:
        self._rows("INSERT INTO main.recipes (name, options) VALUES (?, ?)", [recipe, json.dumps(options)])

    def recipe_names(self) -> list[str]:
        """The recipes that are defined or have records."""
        rows = self._rows(
            "SELECT name FROM main.recipes UNION SELECT DISTINCT coalesce(recipe, 'default') FROM "
            "main.benchmark_results UNION SELECT DISTINCT coalesce(recipe, 'default') FROM main.training_curves"
        )
        return sorted(name for (name,) in rows)


def _text(column: np.ndarray) -> np.ndarray:
    return np.ma.getdata(column).astype(str)
