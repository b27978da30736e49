"""The training curves on record."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelstore.records import Curve
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


class Curves(Repository):
    """Reads and writes ``training_curves``. Records on ``excluding``, the target, are left out."""

    def add(
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

    def has(self, model: str, dataset: str, recipe: str, seed: int) -> bool:
        rows = self._rows(
            "SELECT 1 FROM main.training_curves WHERE model = ? AND dataset = ? "
            "AND coalesce(recipe, 'default') = ? AND seed = ? LIMIT 1",
            [model, dataset, recipe, seed],
        )
        return bool(rows)

    def models_by_dataset(self, recipe: str) -> dict[str, list[str]]:
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

    def on(self, dataset: str, models: Sequence[str], recipe: str, seed: int) -> dict[str, Curve]:
        """Each model's recorded curve on a dataset: the run with this seed, else the mean over its runs."""
        with temp_table(self._connection, models) as few:
            found = self._read(
                f"dataset = $dataset AND model IN (SELECT model FROM {few})",
                {"dataset": dataset, "recipe": recipe, "seed": seed},
            )
        return {model: curve for model, _, curve in found}

    def runs_on(self, dataset: str, recipe: str, seed: int) -> dict[str, Curve]:
        """The recorded runs on a dataset, by model, that have this seed (a NULL seed is 0)."""
        return {
            model: curve
            for model, _, curve in self._read(
                "dataset = $dataset AND coalesce(seed, 0) = $seed",
                {"dataset": dataset, "recipe": recipe, "seed": seed},
            )
        }

    def of(self, model: str, recipe: str, excluding: str | None) -> dict[str, Curve]:
        """A model's recorded curves by dataset, the mean over its runs."""
        return {
            dataset: curve
            for _, dataset, curve in self._read(
                "model = $model AND dataset IS DISTINCT FROM $excluding",
                {"model": model, "excluding": excluding, "recipe": recipe, "seed": None},
            )
        }

    def all(self, recipe: str, excluding: str | None) -> dict[tuple[str, str], Curve]:
        """Every recorded curve by (model, dataset), the mean over its runs."""
        return {
            (model, dataset): curve
            for model, dataset, curve in self._read(
                "dataset IS DISTINCT FROM $excluding",
                {"excluding": excluding, "recipe": recipe, "seed": None},
            )
        }

    def _read(self, where: str, values: dict[str, Any]) -> list[tuple[str, str, Curve]]:
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
