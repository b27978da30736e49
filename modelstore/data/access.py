"""Whether a statement may read files: as DuckDB's own statements may, by ``enable_external_access`` and its like.

DuckDB itself is asked, so that its ``allowed_directories`` and ``allowed_paths`` count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import duckdb

from modelstore.sql_text import literal

_PATTERN = re.compile(r"[*?\[\]]")
_connection: ContextVar[duckdb.DuckDBPyConnection | None] = ContextVar("connection", default=None)


@contextmanager
def as_allowed_by(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block, files are read as far as the settings of this connection's database allow."""
    token = _connection.set(connection)
    try:
        yield
    finally:
        _connection.reset(token)


def is_restricted() -> bool:
    """Whether any file is one that must not be read; outside of a statement, none is."""
    try:
        check_file("/modelstore")
    except duckdb.PermissionException:
        return True
    return False


def check_file(path: str) -> None:
    """Raises ``duckdb.PermissionException`` for a file that must not be read."""
    connection = _connection.get()
    if connection is not None:
        _ask(connection, path)


def check_directory(path: str) -> None:
    """Raises ``duckdb.PermissionException`` for a directory whose files must not be read."""
    check_file(f"{path.rstrip('/')}/config.json")


def check_path(path: str) -> None:
    """Raises ``duckdb.PermissionException`` for what must not be read, a file or a directory."""
    try:
        check_file(path)
    except duckdb.PermissionException:
        check_directory(path)  # one that is allowed is not itself a file that is


def check_hub(uri: str) -> None:
    """Raises ``duckdb.PermissionException`` where nothing may be read but the database."""
    if is_restricted():
        raise duckdb.PermissionException(
            f'Permission Error: Cannot access file "{uri}" - file system operations are disabled by configuration'
        )


def check_cluster() -> None:
    """Raises ``duckdb.PermissionException`` where a statement may not reach anything but the database."""
    if is_restricted():
        raise duckdb.PermissionException(
            "Permission Error: Cannot send models to a Ray cluster - external access is disabled by configuration: "
            "name the cluster where you connect, or train on this machine"
        )


def _ask(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    with connection.cursor() as cursor:  # an error would end the transaction that may be open
        try:
            cursor.execute(f"FROM glob({literal(_PATTERN.sub('_', path))})").fetchall()
        except duckdb.PermissionException as error:
            raise duckdb.PermissionException(str(error).splitlines()[0]) from None
        except duckdb.Error:
            return  # it is no path: whoever reads it says so
