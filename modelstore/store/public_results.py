"""The results of public records in a store, which have a recipe of their own among all others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table

_SAME = "stored.model = public.model AND stored.dataset = public.dataset AND stored.score = public.score"


class PublicResults(Repository):
    """Reads and writes the rows of ``benchmark_results`` that have the recipes of public records."""

    def counts(self, recipes: Sequence[str]) -> dict[str, int]:
        """How many results there are of each of these recipes that has any."""
        return dict(
            self._rows(
                "SELECT recipe, count(*) FROM main.benchmark_results WHERE list_contains(?, recipe) "
                "GROUP BY recipe ORDER BY recipe",
                [list(recipes)],
            )
        )

    def count_others(self, records: pa.Table, recipe: str) -> int:
        """How many results of a recipe are none of the records, with columns model, dataset, score and metric."""
        with self._table_of(records) as table:
            [(count,)] = self._rows(
                "SELECT count(*) FROM main.benchmark_results AS stored WHERE recipe = ? "
                f"AND NOT EXISTS (FROM {table} AS public WHERE {_SAME})",
                [recipe],
            )
        return int(count)

    def add_missing(self, records: pa.Table, recipe: str) -> int:
        """Stores those of the records that are not there yet under the recipe, and returns how many they are."""
        with self._table_of(records) as table:
            [(count,)] = self._rows(
                "INSERT INTO main.benchmark_results (model, dataset, score, metric, recipe) "
                f"SELECT model, dataset, score, metric, $recipe FROM {table} AS public WHERE NOT EXISTS "
                f"(FROM main.benchmark_results AS stored WHERE recipe = $recipe AND {_SAME}) ORDER BY place",
                {"recipe": recipe},
            )
        return int(count)

    @contextmanager
    def _table_of(self, records: pa.Table) -> Iterator[str]:
        columns = {name: records.column(name) for name in ("dataset", "score", "metric")}
        with temp_table(self._connection, records.column("model").to_pylist(), **columns) as table:
            yield table
