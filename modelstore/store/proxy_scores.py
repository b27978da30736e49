"""The proxy scores on record."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True, slots=True)
class ProxyScore:
    """A stored proxy score.

    Attributes
    ----------
    score
        Higher is better.
    source
        The state of the dataset and the weights that it was computed from; None for a score that was loaded.
    rows
        How many rows it was computed from; None where that is not known.
    layers
        The layers that it was computed from; None where that is not known or, as for LEEP, does not matter.
    uri
        Where the model's weights are now; None for a score that was loaded.
    """

    score: float
    source: str | None
    rows: int | None
    layers: str | None
    uri: str | None


class ProxyScores(Repository):
    """Reads and writes ``proxy_scores``."""

    def add(
        self,
        model: str,
        dataset: str,
        proxy: str,
        score: float,
        rows: int,
        seconds: float,
        source: str | None,
        layers: str | None,
    ) -> None:
        """Stores a computed score in place of one computed before; scores that were loaded stay.

        Parameters
        ----------
        model, dataset, proxy
            What was scored, and by which proxy.
        score, rows, seconds
            The score, the number of rows it was computed from, and how long that took.
        source
            The state of the dataset and the weights.
        layers
            The layers that it was computed from; None where they do not matter.
        """
        self._run(
            "DELETE FROM main.proxy_scores WHERE model = ? AND dataset = ? AND lower(proxy) = ? "
            "AND source IS NOT NULL",
            [model, dataset, proxy],
        )
        self._run(
            "INSERT INTO main.proxy_scores (model, dataset, proxy, score, rows, seconds, source, layers) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, proxy, score, rows, seconds, source, layers],
        )

    def on(self, dataset: str, layers: str) -> dict[tuple[str, str], list[ProxyScore]]:
        """The stored scores by (model, proxy) on a dataset, the newest of each number of rows, the newest first.

        Scores of other layers, and those that are no finite numbers, are left out.
        """
        rows = self._rows(
            """
            WITH dated AS (
                SELECT *, coalesce(created_at, TIMESTAMP '1970-01-01') AS stored
                FROM main.proxy_scores
                WHERE dataset = $dataset AND isfinite(score) AND coalesce(lower(layers), $layers) = $layers
            ), found AS (
                SELECT model, lower(proxy) AS proxy, rows, max(stored) AS stored,
                       arg_max({'score': score, 'source': source, 'layers': layers}, stored) AS newest
                FROM dated GROUP BY model, lower(proxy), rows
            )
            SELECT model, proxy, newest.score, newest.source, rows, newest.layers, uri
            FROM found LEFT JOIN main.models ON name = model AND newest.source IS NOT NULL
            ORDER BY stored DESC
            """,
            {"dataset": dataset, "layers": layers},
        )
        scores: dict[tuple[str, str], list[ProxyScore]] = {}
        for model, proxy, *rest in rows:
            scores.setdefault((model, proxy), []).append(ProxyScore(*rest))
        return scores

    def elsewhere(self, proxy: str, excluding: str, layers: str) -> list[tuple[str, str, float]]:
        """The newest stored score by a proxy of each model on each dataset but one: (model, dataset, score).

        On each dataset, they are of the number of rows that most models have a score of; unknown numbers count too.
        """
        return self._rows(
            """
            WITH known AS (
                SELECT * FROM main.proxy_scores WHERE lower(proxy) = $proxy AND dataset <> $excluding
                AND isfinite(score) AND coalesce(lower(layers), $layers) = $layers
            ), sizes AS (
                SELECT dataset, arg_max(rows, (models, rows)) AS rows FROM (
                    SELECT dataset, rows, count(DISTINCT model) AS models
                    FROM known WHERE rows IS NOT NULL GROUP BY ALL
                ) GROUP BY dataset
            )
            SELECT model, dataset, arg_max(score, coalesce(created_at, TIMESTAMP '1970-01-01'))
            FROM known LEFT JOIN sizes USING (dataset)
            WHERE known.rows IS NULL OR known.rows = sizes.rows GROUP BY ALL
            """,
            {"proxy": proxy, "excluding": excluding, "layers": layers},
        )

    def unusable(self, dataset: str) -> list[tuple[str, str]]:
        """The pairs (model, dataset) with a score on a dataset that is NaN or infinite, in order."""
        return self._rows(
            "SELECT DISTINCT model, dataset FROM main.proxy_scores WHERE NOT isfinite(score) AND dataset = ? "
            "ORDER BY ALL",
            [dataset],
        )

    def seconds(self, dataset: str, models: Sequence[str]) -> float:
        """The seconds that scoring the models on a dataset took, by the newest stored score of each."""
        with temp_table(self._connection, models) as few:
            [(seconds,)] = self._rows(
                "SELECT coalesce(sum(seconds), 0) FROM ("
                "SELECT arg_max(seconds, created_at) AS seconds FROM main.proxy_scores "
                f"WHERE dataset = ? AND isfinite(seconds) AND model IN (SELECT model FROM {few}) GROUP BY model)",
                [dataset],
            )
        return float(seconds)

    def forget(self, column: str, name: str) -> None:
        """Deletes the scores of a model or a dataset that was replaced (``column`` says which)."""
        self._run(f"DELETE FROM main.proxy_scores WHERE {column} = ?", [name])
