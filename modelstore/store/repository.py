"""What every part of the store reads and writes by."""

from typing import Any

import duckdb


class Repository:
    """A part of the store, through one DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection

    def _rows(self, sql: str, values: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """A statement's rows, all of them, so that the connection is free for the next."""
        return self._connection.execute(sql, values or []).fetchall()
