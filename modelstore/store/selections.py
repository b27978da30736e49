"""The log of selections: what each was asked, every stage's decisions with their reasons, and how it ended."""

import json
from collections.abc import Sequence
from typing import Any

import duckdb


class SelectionLog:
    """Writes ``selections`` and ``selection_stages``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection

    def begin(self, dataset: str, method: str, options: dict[str, Any]) -> int:
        """The new selection's id; its status is `running` until `finish`."""
        row = self._connection.execute(
            "INSERT INTO main.selections (dataset, method, options, status) VALUES (?, ?, ?, 'running') RETURNING id",
            [dataset, method, json.dumps(options)],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def add_stage(self, selection: int, rows: Sequence[tuple[Any, ...]]) -> None:
        """``rows``: (stage, model, validation, predicted, action, reason)."""
        for row in rows:
            self._connection.execute(
                "INSERT INTO main.selection_stages VALUES (?, ?, ?, ?, ?, ?, ?)", [selection, *row]
            )

    def finish(
        self,
        selection: int,
        status: str,
        model: str | None = None,
        epochs: float | None = None,
        seconds: float | None = None,
        reason: str | None = None,
    ) -> None:
        """``status``: done, stopped or failed."""
        self._connection.execute(
            "UPDATE main.selections SET status = ?, model = ?, epochs = ?, seconds = ?, reason = ?, "
            "finished_at = current_localtimestamp() WHERE id = ?",
            [status, model, epochs, seconds, reason, selection],
        )
