"""The proxy scores on record."""

from collections.abc import Sequence

from modelstore.store.listing import listed
from modelstore.store.reader import Reader


class ProxyScores(Reader):
    """Reads and writes ``proxy_scores``."""

    def add(self, model: str, dataset: str, proxy: str, score: float, rows: int, seconds: float) -> None:
        self._rows(
            "INSERT INTO main.proxy_scores (model, dataset, proxy, score, rows, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            [model, dataset, proxy, score, rows, seconds],
        )

    def on(self, dataset: str) -> dict[tuple[str, str], float]:
        """The newest stored score by (model, proxy) on a dataset."""
        rows = self._rows(
            "SELECT model, lower(proxy), arg_max(score, coalesce(created_at, TIMESTAMP '1970-01-01')) "
            "FROM main.proxy_scores WHERE dataset = ? AND score IS NOT NULL GROUP BY ALL",
            [dataset],
        )
        return {(model, proxy): score for model, proxy, score in rows}

    def seconds(self, dataset: str, models: Sequence[str]) -> float:
        """What scoring the models on a dataset took, by the newest stored score of each."""
        with listed(self._connection, models) as few:
            [(seconds,)] = self._rows(
                "SELECT coalesce(sum(seconds), 0) FROM ("
                "SELECT arg_max(seconds, created_at) AS seconds FROM main.proxy_scores "
                f"WHERE dataset = ? AND model IN (SELECT model FROM {few}) GROUP BY model)",
                [dataset],
            )
        return float(seconds)

    def forget(self, column: str, name: str) -> None:
        """The computed scores of a model or dataset that was replaced no longer hold."""
        self._rows(f"DELETE FROM main.proxy_scores WHERE {column} = ?", [name])
