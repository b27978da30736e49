"""The training curves on record."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelstore.records import Curve, CurvePoint
from modelstore.sql_text import folded_sql
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table
from modelstore.udfs.trends import trends_of_curves

# A point counts if its score and its epoch are finite numbers: one that diverged is no result.
USABLE = "isfinite(validation) AND isfinite(coalesce(epoch, stage))"


class Curves(Repository):
    """Reads and writes ``training_curves``."""

    def add(self, model: str, dataset: str, recipe: str, seed: int, points: Sequence[CurvePoint]) -> None:
        """Stores a run's curve, and the learning rate that it found, in place of an earlier run's.

        Parameters
        ----------
        model, dataset, recipe, seed
            The run.
        points
            Its validation points.
        """
        run = [model, dataset, recipe, seed]
        for table in ("training_curves", "found_learning_rates"):
            self._run(
                f"DELETE FROM main.{table} WHERE model = ? AND dataset = ? "
                "AND coalesce(recipe, 'default') = ? AND seed = ?",
                run,
            )
        for point in points:
            self._run(
                "INSERT INTO main.training_curves (model, dataset, stage, epoch, validation, test, train_loss, "
                "seconds, recipe, seed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    model,
                    dataset,
                    point.stage,
                    point.epoch,
                    point.validation,
                    point.test,
                    point.train_loss,
                    point.seconds,
                    recipe,
                    seed,
                ],
            )
        if points and points[0].trial_epochs:
            self._run(
                "INSERT INTO main.found_learning_rates (model, dataset, recipe, seed, learning_rate, trial_epochs) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [*run, points[0].learning_rate, points[0].trial_epochs],
            )

    def trial_epochs(self, dataset: str, recipe: str) -> float:
        """The most epochs that a run on a dataset trained to find its learning rate, beside its curve."""
        [(epochs,)] = self._rows(
            "SELECT coalesce(max(trial_epochs), 0) FROM main.found_learning_rates "
            "WHERE dataset = ? AND recipe = ? AND isfinite(trial_epochs)",
            [dataset, recipe],
        )
        return float(epochs)

    def has(self, model: str, dataset: str, recipe: str, seed: int) -> bool:
        """Whether a run's curve is on record."""
        rows = self._rows(
            f"SELECT 1 FROM main.training_curves WHERE {USABLE} AND model = ? AND dataset = ? "
            "AND coalesce(recipe, 'default') = ? AND seed = ? LIMIT 1",
            [model, dataset, recipe, seed],
        )
        return bool(rows)

    def unusable(self, recipes: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs (model, dataset) with a point of the recipes that is NaN or infinite, in order."""
        return self._rows(
            "SELECT DISTINCT model, dataset FROM main.training_curves "
            "WHERE list_contains(?, coalesce(recipe, 'default')) AND NOT (isfinite(validation) "
            "AND coalesce(isfinite(test), true) AND coalesce(isfinite(epoch), true)) ORDER BY ALL",
            [list(recipes)],
        )

    def models_by_dataset(self, recipe: str) -> dict[str, list[str]]:
        """The models with a curve on each dataset, in order, as far as they are candidates for it."""
        rows = self._rows(
            "SELECT c.dataset, list(DISTINCT c.model ORDER BY c.model) FROM main.training_curves c "
            "LEFT JOIN main.models m ON m.name = c.model LEFT JOIN main.datasets d ON d.name = c.dataset "
            f"WHERE {USABLE} AND coalesce(c.recipe, 'default') = ? "
            "AND coalesce(m.modality = d.modality, true) "
            "AND NOT coalesce(list_contains(list_transform(m.fine_tuned_on, "
            f"lambda one: {folded_sql('one')}), {folded_sql('c.dataset')}), false) GROUP BY ALL",
            [recipe],
        )
        return dict(rows)

    def count_datasets(self, recipes: Sequence[str], excluding: str | None) -> int:
        """On how many datasets there are curves of one of the recipes; the dataset ``excluding`` is not counted."""
        [(count,)] = self._rows(
            f"SELECT count(DISTINCT dataset) FROM main.training_curves WHERE {USABLE} "
            "AND list_contains(?, coalesce(recipe, 'default')) AND dataset IS DISTINCT FROM ?",
            [list(recipes), excluding],
        )
        return int(count)

    def on(self, dataset: str, models: Sequence[str], recipe: str, seed: int) -> dict[str, Curve]:
        """The curve of each model on a dataset: of the run with this seed, or else the mean over its runs."""
        with temp_table(self._connection, models) as few:
            found = self._read(
                f"dataset = $dataset AND model IN (SELECT model FROM {few})",
                {"dataset": dataset, "recipe": recipe, "seed": seed},
            )
        return {model: curve for model, _, curve in found}

    def runs_on(self, dataset: str, recipe: str, seed: int) -> dict[str, Curve]:
        """The curves of the runs on a dataset with this seed, by model (a NULL seed is 0)."""
        return {
            model: curve
            for model, _, curve in self._read(
                "dataset = $dataset AND coalesce(seed, 0) = $seed",
                {"dataset": dataset, "recipe": recipe, "seed": seed},
            )
        }

    def of(self, model: str, recipe: str, excluding: str | None) -> dict[str, Curve]:
        """A model's curves by dataset, each the mean over its runs; the dataset ``excluding`` is left out."""
        return {
            dataset: curve
            for _, dataset, curve in self._read(
                "model = $model AND dataset IS DISTINCT FROM $excluding",
                {"model": model, "excluding": excluding, "recipe": recipe, "seed": None},
            )
        }

    def all(self, recipe: str, excluding: str | None) -> dict[tuple[str, str], Curve]:
        """Every curve by (model, dataset), each the mean over its runs; the dataset ``excluding`` is left out."""
        return {
            (model, dataset): curve
            for model, dataset, curve in self._read(
                "dataset IS DISTINCT FROM $excluding",
                {"excluding": excluding, "recipe": recipe, "seed": None},
            )
        }

    def points(
        self, model: str, dataset: str, recipe: str | None
    ) -> list[tuple[str, float, float | None, float | None]]:
        """(recipe, epoch, validation, test) of a model's runs on a dataset, in order; each the mean over its runs.

        ``recipe`` is None for every recipe.
        """
        rows = self._rows(
            "SELECT coalesce(recipe, 'default'), coalesce(epoch, stage), avg(validation), "
            "avg(test) FILTER (isfinite(test)) "
            f"FROM main.training_curves WHERE {USABLE} AND model = $model AND dataset = $dataset "
            "AND coalesce(recipe, 'default') = coalesce($recipe, recipe, 'default') GROUP BY ALL ORDER BY ALL",
            {"model": model, "dataset": dataset, "recipe": recipe},
        )
        return [(name, epoch, validation, test) for name, epoch, validation, test in rows]

    def epochs(self, model: str, recipe: str) -> list[float]:
        """The epochs at which a model's runs of a recipe were validated, in order."""
        rows = self._rows(
            "SELECT DISTINCT coalesce(epoch, stage) FROM main.training_curves WHERE model = ? "
            f"AND coalesce(recipe, 'default') = ? AND {USABLE} ORDER BY 1",
            [model, recipe],
        )
        return [epoch for (epoch,) in rows]

    def trends(self, model: str, epoch: float, recipe: str) -> list[tuple[float, float, int]]:
        """A model's convergence trends at an epoch, by rising validation (Cui et al., section IV C).

        Each is (mean validation then, mean final score, number of datasets).
        """
        curves = self.of(model, recipe, excluding=None)
        results = dict(
            self._rows(
                "SELECT dataset, avg(score) FROM main.benchmark_results WHERE model = ? "
                "AND coalesce(recipe, 'default') = ? AND isfinite(score) GROUP BY dataset",
                [model, recipe],
            )
        )
        runs = [(curve.epochs, curve.validations, curve.tests) for curve in curves.values()]
        found = trends_of_curves(runs, [results.get(name) for name in curves], epoch, keep=self._keep(recipe))
        sizes = np.bincount(found.labels[found.labels >= 0], minlength=len(found.final))
        return list(zip(found.validation.tolist(), found.final.tolist(), sizes.tolist(), strict=True))

    def _keep(self, recipe: str) -> str:
        """Which point of a recipe's runs counts; what differs from a recipe's options is in the derived name."""
        if derived := re.search(r"\+keep=(best|last)", recipe):
            return derived[1]
        rows = self._rows(
            "SELECT TRY_CAST(options AS JSON) ->> '$.keep' FROM main.recipes "
            "WHERE name IN ($1, split_part($1, '+', 1)) ORDER BY name <> $1",
            [recipe],
        )
        return next((keep for (keep,) in rows if keep is not None), "best")

    def _read(self, where: str, values: dict[str, Any]) -> list[tuple[str, str, Curve]]:
        rows = self._rows(
            f"""
            WITH runs AS (
                SELECT *, coalesce(epoch, stage) AS reached,
                       coalesce(bool_or(seed = $seed) OVER pair, false) AS has_seed
                FROM main.training_curves
                WHERE coalesce(recipe, 'default') = $recipe AND {USABLE} AND {where}
                WINDOW pair AS (PARTITION BY model, dataset)
            ), points AS (
                SELECT model, dataset, reached, avg(validation) AS validation,
                       avg(test) FILTER (isfinite(test)) AS test,
                       avg(seconds) FILTER (isfinite(seconds)) AS seconds
                FROM runs WHERE NOT has_seed OR seed = $seed
                GROUP BY ALL
            )
            SELECT model, dataset, list(reached ORDER BY reached), list(validation ORDER BY reached),
                   list(test ORDER BY reached),
                   list(seconds ORDER BY reached), coalesce(any_value(trial_epochs), 0)
            FROM points LEFT JOIN (
                SELECT model, dataset, avg(trial_epochs) AS trial_epochs FROM main.found_learning_rates
                WHERE recipe = $recipe AND isfinite(trial_epochs) GROUP BY ALL
            ) USING (model, dataset) GROUP BY model, dataset
            """,
            values,
        )
        found = []
        for model, dataset, *series, trials in rows:
            epochs, validations, tests, seconds = (np.array(values, dtype=float) for values in series)
            found.append((model, dataset, Curve(epochs, validations, tests, seconds, trials)))
        return found
