"""What is on record: results, curves, proxy scores, clusters and recipes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from modelstore.store.listing import listed


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
class Memberships:
    """Of n models: ``cluster`` (0 for one that the clustering does not know), its ``representative`` (None) and
    ``size`` (0)."""

    cluster: np.ndarray
    representative: np.ndarray
    size: np.ndarray


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

    def _rows(self, sql: str, values: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values or []).fetchall()

    # --- results

    def matrix(
        self, recipe: str, excluding: str | None = None, models: Sequence[str] | None = None
    ) -> Matrix:
        """The performance matrix of a recipe, of all models on record or of ``models`` alone."""
        with listed(self._connection, models or []) as few:
            among = "" if models is None else f"AND model IN (SELECT model FROM {few})"
            columns = self._connection.execute(
                f"""
                WITH cells AS MATERIALIZED (
                    SELECT model, dataset, score FROM main.performance_matrix
                    WHERE recipe = $recipe AND dataset IS DISTINCT FROM $excluding {among}
                ), datasets AS (
                    SELECT list(DISTINCT dataset ORDER BY dataset) AS names FROM cells
                )
                SELECT model, list(list_position(names, dataset) - 1) AS columns, list(score) AS scores,
                       any_value(names) AS names
                FROM cells, datasets GROUP BY model ORDER BY model
                """,
                {"recipe": recipe, "excluding": excluding},
            ).fetchnumpy()
        names = columns["model"].tolist()
        if not names:
            return Matrix([], [], np.empty((0, 0)))
        datasets = list(columns["names"][0])
        scores = np.full((len(names), len(datasets)), np.nan)
        row = np.repeat(np.arange(len(names)), [len(cells) for cells in columns["columns"]])
        scores[row, np.concatenate(columns["columns"])] = np.concatenate(columns["scores"])
        return Matrix(names, datasets, scores)

    def means(
        self, recipe: str, excluding: str | None, models: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each model's mean over its row of the matrix, NaN without records, and how many datasets it has."""
        with listed(self._connection, models) as few:
            columns = self._connection.execute(
                f"""
                WITH means AS (
                    SELECT model, avg(score) AS mean, count(*) AS datasets FROM main.performance_matrix
                    WHERE recipe = $recipe AND dataset IS DISTINCT FROM $excluding GROUP BY model
                )
                SELECT place, mean, coalesce(datasets, 0) AS datasets FROM {few} LEFT JOIN means USING (model)
                """,
                {"recipe": recipe, "excluding": excluding},
            ).fetchnumpy()
        order = np.argsort(columns["place"])
        means = np.ma.filled(columns["mean"].astype(float), np.nan)
        return means[order], np.ma.getdata(columns["datasets"])[order]

    def greatest_difference(self, recipe: str, excluding: str | None) -> tuple[float, int]:
        """Between two scores of a recipe on one dataset, and how many datasets there are."""
        [(difference, datasets)] = self._rows(
            "SELECT coalesce(max(spread), 0), count(*) FROM (SELECT max(score) - min(score) AS spread "
            "FROM main.benchmark_results WHERE isfinite(score) AND coalesce(recipe, 'default') = ? "
            "AND dataset IS DISTINCT FROM ? GROUP BY dataset)",
            [recipe, excluding],
        )
        return float(difference), datasets

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

    def results_with_seed(
        self, recipe: str, seed: int, on: str | None = None
    ) -> dict[tuple[str, str], float]:
        """The recorded score by (model, dataset) of the recipe's runs with this seed (a NULL seed is 0).

        Of one dataset, if ``on`` names it.
        """
        rows = self._rows(
            "SELECT model, dataset, avg(score) FROM main.benchmark_results WHERE score IS NOT NULL "
            "AND coalesce(recipe, 'default') = $recipe AND coalesce(seed, 0) = $seed "
            "AND ($on IS NULL OR dataset = $on) GROUP BY ALL",
            {"recipe": recipe, "seed": seed, "on": on},
        )
        return {(model, dataset): score for model, dataset, score in rows}

    def datasets_in(self, table: str) -> list[str]:
        """The datasets that ``training_curves`` or ``proxy_scores`` has rows of."""
        return [name for (name,) in self._rows(f"SELECT DISTINCT dataset FROM main.{table}")]

    def count_of(self, column: str, name: str) -> int:
        """How many records there are of a model or a dataset (``column`` says which)."""
        tables = ("benchmark_results", "training_curves", "proxy_scores")
        counts = " + ".join(f"(SELECT count(*) FROM main.{table} WHERE {column} = $name)" for table in tables)
        return self._rows(f"SELECT {counts}", {"name": name})[0][0]

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

    def models_with_curves(self, recipe: str) -> dict[str, list[str]]:
        """The models that have a curve, by dataset, in order: such as may be selected for it."""
        rows = self._rows(
            "SELECT c.dataset, list(DISTINCT c.model ORDER BY c.model) FROM main.training_curves c "
            "LEFT JOIN main.models m ON m.name = c.model LEFT JOIN main.datasets d ON d.name = c.dataset "
            "WHERE isfinite(c.validation) AND coalesce(c.recipe, 'default') = ? "
            "AND coalesce(m.modality = d.modality, true) "
            "AND NOT coalesce(list_contains(m.fine_tuned_on, c.dataset), false) GROUP BY ALL",
            [recipe],
        )
        return dict(rows)

    def curves_on(self, dataset: str, models: Sequence[str], recipe: str, seed: int) -> dict[str, Curve]:
        """Each model's recorded curve on a dataset: the run with this seed, else the mean over its runs."""
        return {
            model: curve
            for model, _, curve in self._curves(
                "dataset = $dataset AND model IN (SELECT unnest($models))",
                {"dataset": dataset, "models": list(models), "recipe": recipe, "seed": seed},
            )
        }

    def runs_on(self, dataset: str, recipe: str, seed: int) -> dict[str, Curve]:
        """The recorded runs on a dataset, by model, that have this seed (a NULL seed is 0)."""
        return {
            model: curve
            for model, _, curve in self._curves(
                "dataset = $dataset AND coalesce(seed, 0) = $seed",
                {"dataset": dataset, "recipe": recipe, "seed": seed},
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

    def curves(self, recipe: str, excluding: str | None) -> dict[tuple[str, str], Curve]:
        """Every recorded curve by (model, dataset), the mean over its runs."""
        return {
            (model, dataset): curve
            for model, dataset, curve in self._curves(
                "dataset IS DISTINCT FROM $excluding",
                {"excluding": excluding, "recipe": recipe, "seed": None},
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
            values,
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
            {"recipe": recipe, "device": device},
        )
        return {model: float(size) for model, size in rows}

    def seconds_per_epoch(self, recipe: str, on: str | None = None) -> dict[tuple[str, str], float]:
        """The mean seconds that an epoch took by (model, dataset), of the recorded pairs that say so.

        Of one dataset, if ``on`` names it.
        """
        rows = self._rows(
            "SELECT model, dataset, avg(seconds / epochs) FROM main.benchmark_results "
            "WHERE seconds > 0 AND epochs > 0 AND coalesce(recipe, 'default') = $recipe "
            "AND ($on IS NULL OR dataset = $on) GROUP BY ALL",
            {"recipe": recipe, "on": on},
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

    def clusters_of(self, models: Sequence[str]) -> Memberships:
        """Where each model is in the clustering."""
        with listed(self._connection, models) as few:
            columns = self._connection.execute(
                f"""
                WITH sizes AS (SELECT cluster, count(*) AS size FROM main.model_clusters GROUP BY cluster)
                SELECT place, coalesce(cluster, 0) AS cluster, representative, coalesce(size, 0) AS size
                FROM {few} LEFT JOIN main.model_clusters USING (model) LEFT JOIN sizes USING (cluster)
                """
            ).fetchnumpy()
        order = np.argsort(columns["place"])
        representatives = np.ma.filled(columns["representative"].astype(object), None)
        return Memberships(
            np.ma.getdata(columns["cluster"])[order],
            representatives[order],
            np.ma.getdata(columns["size"])[order],
        )

    def replace_clusters(self, models: list[str], clusters: np.ndarray, representatives: list[str]) -> None:
        """Stores a clustering, one row a model, in place of the last one."""
        with listed(self._connection, models, cluster=clusters, representative=representatives) as few:
            self._rows("DELETE FROM main.model_clusters")
            self._rows(
                "INSERT INTO main.model_clusters (model, cluster, representative) "
                f"SELECT model, cluster, representative FROM {few}"
            )

    # --- priors

    def fingerprint(self, recipe: str, excluding: str) -> str:
        """What changes when the results of a recipe do, or the sizes of the models that have them."""
        [(fingerprint,)] = self._rows(
            "SELECT md5(concat_ws(' ', count(*), sum(hash(r.model, r.dataset, r.score, m.parameters)::HUGEINT))) "
            "FROM main.benchmark_results r LEFT JOIN main.models m ON m.name = r.model "
            "WHERE coalesce(r.recipe, 'default') = ? AND r.dataset IS DISTINCT FROM ?",
            [recipe, excluding],
        )
        return str(fingerprint)

    def prior_choice(self, recipe: str, target: str, fingerprint: str) -> str | None:
        """The prior that was chosen by these records, if one was."""
        rows = self._rows(
            "SELECT prior FROM main.prior_choices WHERE recipe = ? AND target = ? AND fingerprint = ?",
            [recipe, target, fingerprint],
        )
        return rows[0][0] if rows else None

    def remember_prior(
        self, recipe: str, target: str, fingerprint: str, prior: str, regrets: dict[str, float]
    ) -> None:
        """Stores a choice in place of the last one for the target."""
        self._rows(
            "INSERT OR REPLACE INTO main.prior_choices (recipe, target, fingerprint, prior, regrets) "
            "VALUES (?, ?, ?, ?, map_from_entries(list_zip(?, ?)))",
            [recipe, target, fingerprint, prior, list(regrets), list(regrets.values())],
        )

    # --- embeddings of cards

    def cards_without_embedding(self, encoder: str, models: Sequence[str]) -> list[str]:
        """The different cards of the models that ``encoder`` (where its weights are) has not embedded yet."""
        with listed(self._connection, models) as few:
            rows = self._rows(
                f"SELECT DISTINCT card FROM main.models JOIN {few} ON model = name "
                "WHERE card <> '' AND md5(card) NOT IN (SELECT card FROM main.card_embeddings WHERE encoder = ?) "
                "ORDER BY card",
                [encoder],
            )
        return [card for (card,) in rows]

    def add_embeddings(self, encoder: str, cards: Sequence[str], embeddings: np.ndarray) -> None:
        """``embeddings`` (cards, dimensions)."""
        vectors = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), embeddings.shape[1])
        with listed(self._connection, cards, embedding=vectors) as few:
            self._rows(
                "INSERT INTO main.card_embeddings (encoder, card, embedding) "
                f"SELECT ?, md5(model), embedding FROM {few} ORDER BY place",
                [encoder],
            )

    def embeddings_of(self, encoder: str, models: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Those of the models that have a card, in order, and its embedding: (models, dimensions)."""
        with listed(self._connection, models) as few:
            columns = self._connection.execute(
                f"SELECT model, embedding FROM {few} JOIN main.models ON name = model "
                "JOIN main.card_embeddings AS e ON e.encoder = ? AND e.card = md5(models.card) ORDER BY place",
                [encoder],
            ).fetchnumpy()
        names = columns["model"].tolist()
        return names, np.stack(columns["embedding"].tolist()) if names else np.empty((0, 0), np.float32)

    def forget_embeddings(self, encoder: str) -> None:
        """What an encoder that was replaced made of cards no longer holds."""
        self._rows("DELETE FROM main.card_embeddings WHERE encoder = ?", [encoder])

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
