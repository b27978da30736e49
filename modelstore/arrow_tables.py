"""Arrow tables that a DuckDB connection knows by a name for as long as they are needed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, tables: "Mapping[str, pa.Table]") -> Iterator[None]:
    """Within the block, the connection knows the tables by their names."""
    try:
        for name, table in tables.items():
            connection.register(name, table)
        yield
    finally:
        unregister(connection, tables)


def unregister(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Has a connection forget tables, and what has not been fetched; after an error or an interruption too."""
    # Where an error has aborted the transaction, they stay until it ends.
    with suppress(duckdb.TransactionException):
        connection.abort()  # rows that nobody has fetched keep tables in use
        for name in names:
            connection.unregister(name)
