"""How much memory DuckDB takes while a dataset is registered: the same for files of any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

_LIMIT = 1_000_000_000  # bytes; DuckDB writes what is more to its temporary files beside the database
_CUT = 10_000_000  # added to the limit as DuckDB shows it, cut to a tenth of a unit, so that it shows the same again


@contextmanager
def limited_memory(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block, DuckDB takes a gigabyte at most, unless the database is in memory or has a lower limit."""
    # The limit is one for all cursors, and an error in this one does not abort a transaction of the connection.
    others = connection.cursor()
    [(in_file, before)] = others.execute(
        "SELECT (SELECT path IS NOT NULL FROM duckdb_databases() WHERE database_name = current_database()), "
        "parse_formatted_bytes(current_setting('memory_limit'))"
    ).fetchall()
    if not in_file or before <= _LIMIT:
        yield
        return
    try:
        _set(others, _LIMIT)
        yield
    finally:
        _set(others, before + _CUT)


def _set(connection: duckdb.DuckDBPyConnection, limit: int) -> None:
    with suppress(duckdb.Error):  # more is in use already
        connection.execute(f"SET memory_limit = '{limit}B'")
