"""The scores on record, and what can be computed from them alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelstore.records import Matrix
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table

# The view `performance_matrix`: DuckDB looks up what a view names when it is read, in temporary tables first.
_MATRIX = (
    "(SELECT model, dataset, coalesce(recipe, 'default') AS recipe, avg(score) AS score "
    "FROM main.benchmark_results WHERE isfinite(score) GROUP BY ALL)"
)
_FEW = 50  # with at most so many models, a filter is faster than a join


class Results(Repository):
    """Reads and writes ``benchmark_results`` and ``benchmark_failures``."""

    def matrix(
        self, recipe: str, excluding: str | None = None, models: Sequence[str] | None = None
    ) -> Matrix:
        """The performance matrix of a recipe.

        Parameters
        ----------
        recipe
            Whose runs are read; a cell is their mean.
        excluding
            A dataset that is left out, such as the target.
        models
            The models that are wanted; None for all on record.
        """
        among = ""
        values: dict[str, Any] = {"recipe": recipe, "excluding": excluding}
        with temp_table(self._connection, models or []) as few:
            if models is not None and len(models) <= _FEW:
                among = "AND list_contains($few, model)"
                values["few"] = list(models)
            elif models is not None:
                among = f"AND model IN (SELECT model FROM {few})"
            runs = self._connection.sql(
                self.full(
                    "SELECT model, dataset, score FROM main.benchmark_results "
                    "WHERE isfinite(score) AND coalesce(recipe, 'default') = $recipe "
                    f"AND dataset IS DISTINCT FROM $excluding {among}"
                ),
                params=values,
            ).to_arrow_table()
        names, row = _numbered(runs.column("model"))
        datasets, column = _numbered(runs.column("dataset"))
        cell = row * len(datasets) + column
        scores = _means(cell, runs.column("score").to_numpy(), len(names) * len(datasets))
        return Matrix(names, datasets, scores.reshape(len(names), len(datasets)))

    def means(
        self, recipe: str, excluding: str | None, models: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mean of each model over its row of the matrix.

        Returns
        -------
        tuple
            The means, NaN without records, and the number of datasets of each model; both of shape (len(models),).
        """
        with temp_table(self._connection, models) as few:
            columns = self._by_place(
                f"""
                WITH means AS (
                    SELECT model, avg(score ORDER BY dataset) AS mean, count(*) AS datasets
                    FROM {_MATRIX}
                    WHERE recipe = $recipe AND dataset IS DISTINCT FROM $excluding GROUP BY model
                )
                SELECT place, mean, coalesce(datasets, 0) AS datasets FROM {few} LEFT JOIN means USING (model)
                """,
                {"recipe": recipe, "excluding": excluding},
            )
        return columns["mean"], columns["datasets"]

    def greatest_difference(self, recipe: str, excluding: str | None) -> tuple[float, int]:
        """The greatest difference between two scores on one dataset, and the number of datasets with scores.

        The dataset ``excluding`` is left out.
        """
        [(difference, datasets)] = self._rows(
            "SELECT coalesce(max(spread), 0), count(*) FROM (SELECT max(score) - min(score) AS spread "
            "FROM main.benchmark_results WHERE isfinite(score) AND coalesce(recipe, 'default') = ? "
            "AND dataset IS DISTINCT FROM ? GROUP BY dataset)",
            [recipe, excluding],
        )
        return float(difference), datasets

    def add(
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
        """Stores the score of one run: what it trained, in epochs and seconds."""
        self._run(
            "INSERT INTO main.benchmark_results (model, dataset, score, metric, recipe, seed, epochs, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, score, metric, recipe, seed, epochs, seconds],
        )

    def remove(self, model: str, dataset: str, recipe: str, seed: int) -> None:
        """Deletes the scores of a run."""
        self._run(
            "DELETE FROM main.benchmark_results WHERE model = ? AND dataset = ? "
            "AND coalesce(recipe, 'default') = ? AND coalesce(seed, 0) = ?",
            [model, dataset, recipe, seed],
        )

    def with_seed(self, recipe: str, seed: int, on: str | None = None) -> dict[tuple[str, str], float]:
        """The score of the runs with this seed by (model, dataset), over all datasets or the dataset ``on``.

        A NULL seed is 0.
        """
        rows = self._rows(
            "SELECT model, dataset, avg(score) FROM main.benchmark_results WHERE isfinite(score) "
            "AND coalesce(recipe, 'default') = $recipe AND coalesce(seed, 0) = $seed "
            "AND ($on IS NULL OR dataset = $on) GROUP BY ALL",
            {"recipe": recipe, "seed": seed, "on": on},
        )
        return {(model, dataset): score for model, dataset, score in rows}

    def on(self, dataset: str, recipe: str) -> dict[str, float]:
        """The scores on a dataset by model, each the mean over its runs."""
        return dict(
            self._rows(
                f"SELECT model, score FROM {_MATRIX} WHERE dataset = ? AND recipe = ?",
                [dataset, recipe],
            )
        )

    def of(self, model: str, recipe: str) -> dict[str, float]:
        """A model's scores by dataset, each the mean over its runs."""
        return dict(
            self._rows(
                f"SELECT dataset, score FROM {_MATRIX} WHERE model = ? AND recipe = ?",
                [model, recipe],
            )
        )

    def unusable(self, recipes: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs (model, dataset) with a score of the recipes that is NaN or infinite, in order."""
        return self._rows(
            "SELECT DISTINCT model, dataset FROM main.benchmark_results "
            "WHERE NOT isfinite(score) AND list_contains(?, coalesce(recipe, 'default')) ORDER BY ALL",
            [list(recipes)],
        )

    def add_failure(self, model: str, dataset: str, recipe: str, seed: int, reason: str) -> None:
        """Stores why a run failed."""
        self._run(
            "INSERT INTO main.benchmark_failures (model, dataset, recipe, seed, reason) VALUES (?, ?, ?, ?, ?)",
            [model, dataset, recipe, seed, reason],
        )

    def fingerprint(self, recipe: str) -> str:
        """A digest of a recipe's results: it changes when they do."""
        [(fingerprint,)] = self._rows(
            "SELECT md5(concat_ws(' ', count(*), sum(hash(model, dataset, score)::HUGEINT))) "
            "FROM main.benchmark_results WHERE coalesce(recipe, 'default') = ?",
            [recipe],
        )
        return str(fingerprint)


def _means(cell: np.ndarray, scores: np.ndarray, cells: int) -> np.ndarray:
    """The mean score of each cell, as in ``performance_matrix``: (cells,), NaN for one without."""
    means = np.full(cells, np.nan)
    means[cell] = scores
    if np.count_nonzero(~np.isnan(means)) == len(cell):  # no cell has several, as usual
        return means
    counts = np.bincount(cell, minlength=cells)
    return np.divide(np.bincount(cell, scores, cells), counts, out=means, where=counts > 0)


def _numbered(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The different names of a column, in order, and each row's place among them."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)  # by the bytes of UTF-8, which is Python's order
    place_of = np.empty(len(order), dtype=np.intp)
    place_of[order.to_numpy()] = np.arange(len(order))
    return encoded.dictionary.take(order).to_pylist(), place_of[encoded.indices.to_numpy()]
