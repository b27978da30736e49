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
    uri
        Where the model's weights are now; None for a score that was loaded.
    """

    score: float
    source: str | None
    rows: int | None
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
        """
        self._run(
            "DELETE FROM main.proxy_scores WHERE model = ? AND dataset = ? AND lower(proxy) = ? "
            "AND source IS NOT NULL",
            [model, dataset, proxy],
        )
        self._run(
            "INSERT INTO main.proxy_scores (model, dataset, proxy, score, rows, seconds, source) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, proxy, score, rows, seconds, source],
        )

    def on(self, dataset: str) -> dict[tuple[str, str], ProxyScore]:
        """The newest stored score by (model, proxy) on a dataset."""
        rows = self._rows(
            """
            WITH dated AS (
                SELECT *, coalesce(created_at, TIMESTAMP '1970-01-01') AS stored
                FROM main.proxy_scores WHERE dataset = ? AND score IS NOT NULL
            ), found AS (
                SELECT model, lower(proxy) AS proxy,
                       arg_max({'score': score, 'source': source, 'rows': rows}, stored) AS newest
                FROM dated GROUP BY ALL
            )
            SELECT model, proxy, newest.score, newest.source, newest.rows, uri
            FROM found LEFT JOIN main.models ON name = model AND newest.source IS NOT NULL
            """,
            [dataset],
        )
        return {(model, proxy): ProxyScore(*rest) for model, proxy, *rest in rows}

    def elsewhere(self, proxy: str, excluding: str) -> list[tuple[str, str, float]]:
        """The newest stored score by a proxy of each model on each dataset but one: (model, dataset, score)."""
        return self._rows(
            "SELECT model, dataset, arg_max(score, coalesce(created_at, TIMESTAMP '1970-01-01')) "
            "FROM main.proxy_scores WHERE lower(proxy) = ? AND dataset <> ? AND isfinite(score) GROUP BY ALL",
            [proxy, excluding],
        )

    def seconds(self, dataset: str, models: Sequence[str]) -> float:
        """The seconds that scoring the models on a dataset took, by the newest stored score of each."""
        with temp_table(self._connection, models) as few:
            [(seconds,)] = self._rows(
                "SELECT coalesce(sum(seconds), 0) FROM ("
                "SELECT arg_max(seconds, created_at) AS seconds FROM main.proxy_scores "
                f"WHERE dataset = ? AND model IN (SELECT model FROM {few}) GROUP BY model)",
                [dataset],
            )
        return float(seconds)

    def forget(self, column: str, name: str) -> None:
        """Deletes the scores of a model or a dataset that was replaced (``column`` says which)."""
        self._run(f"DELETE FROM main.proxy_scores WHERE {column} = ?", [name])
