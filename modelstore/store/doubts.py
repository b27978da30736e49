"""Records that load without an error and would be taken for what they are not."""

from dataclasses import dataclass

from modelstore.store.repository import Repository

# Metrics of which a better model has less.
_LESS_IS_BETTER = r"(^|[_ /-])(loss|perplexity|ppl|error([_ ]?rate)?|r?mse|mae|wer|cer)$"


@dataclass(frozen=True)
class Repeated:
    """Pairs that have several results, or points of a curve at one epoch, which differ and are averaged.

    Parameters
    ----------
    pairs
        How many.
    model, dataset
        The first of them.
    low, high
        Its least and greatest score.
    """

    pairs: int
    model: str
    dataset: str
    low: float
    high: float


class Doubts(Repository):
    """Reads ``benchmark_results`` and ``training_curves``."""

    def repeated_results(self, recipe: str) -> Repeated | None:
        """Pairs with different results of one recipe that no seed tells apart."""
        return self._repeated("benchmark_results", "score", "model, dataset, seed", recipe)

    def repeated_points(self, recipe: str) -> Repeated | None:
        """Pairs with different validations of one seed at one epoch."""
        run = "model, dataset, seed, coalesce(epoch, stage)"
        return self._repeated("training_curves", "validation", run, recipe)

    def mixed_metrics(self, recipe: str) -> dict[str, list[str]]:
        """The metrics of each dataset whose results of a recipe have several."""
        rows = self._rows(
            "SELECT dataset, list(DISTINCT lower(metric) ORDER BY lower(metric)) FROM main.benchmark_results "
            "WHERE isfinite(score) AND metric IS NOT NULL AND coalesce(recipe, 'default') = ? "
            "GROUP BY dataset HAVING min(lower(metric)) < max(lower(metric)) ORDER BY dataset",
            [recipe],
        )
        return dict(rows)

    def losses(self, recipe: str) -> list[str]:
        """The metrics of a recipe's results of which less is better."""
        rows = self._rows(
            "SELECT DISTINCT metric FROM main.benchmark_results WHERE isfinite(score) "
            "AND coalesce(recipe, 'default') = ? AND regexp_matches(lower(metric), ?) AND score >= 0 ORDER BY metric",
            [recipe, _LESS_IS_BETTER],
        )
        return [metric for (metric,) in rows]

    def curves_from_zero(self, recipe: str) -> tuple[int, str, str] | None:
        """How many runs have a stage below 1 and no epochs, with the first one's model and dataset."""
        [(runs, first)] = self._rows(
            "SELECT count(DISTINCT (model, dataset, seed)), min((model, dataset)) FROM main.training_curves "
            "WHERE stage < 1 AND epoch IS NULL AND isfinite(validation) AND coalesce(recipe, 'default') = ?",
            [recipe],
        )
        return (runs, *first) if runs else None

    def _repeated(self, table: str, score: str, run: str, recipe: str) -> Repeated | None:
        [(pairs, first)] = self._rows(
            f"SELECT count(DISTINCT (model, dataset)), min((model, dataset, low, high)) FROM ("
            f"SELECT model, dataset, min({score}) AS low, max({score}) AS high FROM main.{table} "
            f"WHERE isfinite({score}) AND coalesce(recipe, 'default') = ? GROUP BY {run} HAVING low < high)",
            [recipe],
        )
        return Repeated(pairs, *first) if pairs else None
