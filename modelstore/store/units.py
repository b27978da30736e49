"""The units of the scores on record: shares of 1, or per cent."""

from collections.abc import Sequence

from modelstore.store.repository import Repository

# Metrics that are 1 at the most, whatever people call them.
_SHARES = "acc|f1|precision|recall|auc|top.?[0-9]|matthews|mcc|pearson|spearman|exact.?match"
_ROUNDING = 1e-6


class Units(Repository):
    """Reads ``benchmark_results`` and ``training_curves``."""

    def results_in_per_cent(self, recipe: str) -> list[str]:
        """The datasets, in order, of which results look like per cent.

        Some exceed 1 and none 100, and the metric, that of the results or of the registered dataset, is 1 at the most
        as far as it is known.
        """
        return self._in_per_cent(
            "benchmark_results", "score", "coalesce(record.metric, registered.metric)", recipe
        )

    def curves_in_per_cent(self, recipe: str) -> list[str]:
        """The datasets, in order, of which validations on training curves look like per cent."""
        return self._in_per_cent("training_curves", "validation", "registered.metric", recipe)

    def _in_per_cent(self, table: str, scores: str, metric: str, recipe: str) -> list[str]:
        # Where no score exceeds 1, the statistics of the column say so, and none is read.
        rows = self._rows(
            f"SELECT record.dataset FROM main.{table} AS record LEFT JOIN main.datasets AS registered "
            f"ON name = record.dataset "
            f"WHERE {scores} > $most AND isfinite({scores}) AND coalesce(recipe, 'default') = $recipe "
            f"AND coalesce(regexp_matches(lower({metric}), $shares), true) "
            f"GROUP BY ALL HAVING max({scores}) <= 100 ORDER BY ALL",
            {"most": 1 + _ROUNDING, "recipe": recipe, "shares": _SHARES},
        )
        return [dataset for (dataset,) in rows]

    def shares_among(
        self, table: str, score: str, datasets: Sequence[str], recipe: str
    ) -> tuple[int, str, str, float] | None:
        """How many scores on these datasets may be shares, as they are between 0 and 1; with the first one.

        The first one is its model, dataset and score.
        """
        [(count, first)] = self._rows(
            f"SELECT count(*), min((model, dataset, {score})) FROM main.{table} WHERE {score} > 0 "
            f"AND {score} <= $most AND coalesce(recipe, 'default') = $recipe AND list_contains($datasets, dataset)",
            {"most": 1 + _ROUNDING, "recipe": recipe, "datasets": list(datasets)},
        )
        return (count, *first) if count else None
