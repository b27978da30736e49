"""What every part of the store has in common."""

from typing import Any

import duckdb
import numpy as np

Values = list[Any] | dict[str, Any]


class Repository:
    """The queries and commands for one part of the store.

    Parameters
    ----------
    connection
        The DuckDB connection that they run on.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection

    def _rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """A query's rows, all of them, so that the connection is free for the next statement."""
        return self._connection.execute(sql, values or []).fetchall()

    def _run(self, sql: str, values: Values | None = None) -> None:
        """Runs a command, to its end."""
        self._connection.execute(sql, values or []).fetchall()

    def _by_place(self, sql: str, values: Values | None = None) -> dict[str, np.ndarray]:
        """A query's columns as arrays, in the order of its column ``place``.

        A number that is NULL becomes NaN, anything else that is NULL becomes None.
        """
        columns = self._connection.execute(sql, values or []).fetchnumpy()
        order = np.argsort(columns.pop("place"))
        return {name: _filled(column)[order] for name, column in columns.items()}


def _filled(column: np.ndarray) -> np.ndarray:
    """A column that DuckDB has masked where it is NULL, as a plain array."""
    if not np.ma.is_masked(column):
        return np.ma.getdata(column)
    if column.dtype == object:
        return np.ma.filled(column, None)
    return np.ma.filled(column.astype(float), np.nan)
