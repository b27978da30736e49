"""What every part of the store has in common."""

from typing import Any

import duckdb
import numpy as np

from modelstore.sql_text import in_full

Values = list[Any] | dict[str, Any]


class Repository:
    """The queries and commands for one part of the store.

    Parameters
    ----------
    connection
        The DuckDB connection that they run on.
    database
        The name under which the store's database is attached; None: it is found.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, database: str | None = None):
        self._connection = connection
        self.database = database or store_database(connection)

    def full(self, sql: str) -> str:
        """SQL with the names of tables and functions in full (`in_full`)."""
        return in_full(sql, self.database)

    def _rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """A query's rows, all of them, so that the connection is free for the next statement."""
        return self._connection.execute(self.full(sql), values or []).fetchall()

    def _run(self, sql: str, values: Values | None = None) -> None:
        """Runs a command, to its end."""
        self._connection.execute(self.full(sql), values or []).fetchall()

    def _by_place(self, sql: str, values: Values | None = None) -> dict[str, np.ndarray]:
        """A query's columns as arrays, in the order of its column ``place``.

        A number that is NULL becomes NaN, anything else that is NULL becomes None.
        """
        columns = self._connection.execute(self.full(sql), values or []).fetchnumpy()
        order = np.argsort(columns.pop("place"))
        return {name: _filled(column)[order] for name, column in columns.items()}


def store_database(connection: duckdb.DuckDBPyConnection) -> str:
    """The name of the attached database that is a model store, the current one before others."""
    [(name,)] = connection.execute(
        in_full(
            "SELECT database_name FROM duckdb_tables() WHERE table_name = 'modelstore_version' AND NOT temporary "
            "ORDER BY database_name <> current_database() LIMIT 1"
        )
    ).fetchall()
    return str(name)


def _filled(column: np.ndarray) -> np.ndarray:
    """A column that DuckDB has masked where it is NULL, as a plain array."""
    if not np.ma.is_masked(column):
        return np.ma.getdata(column)
    if column.dtype == object:
        return np.ma.filled(column, None)
    return np.ma.filled(column.astype(float), np.nan)
