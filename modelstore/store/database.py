"""Opening a database file: its lock, its version, the functions of SQL, the migrations that it lacks."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from modelstore.data.remote import AnyPath
from modelstore.errors import LockedStoreError, StoreError
from modelstore.progress import notify
from modelstore.schema import migrations, session
from modelstore.sql_text import in_full
from modelstore.store.new_file import begin_file
from modelstore.udfs.register import register

_STORE_TABLES = (
    "models",
    "datasets",
    "benchmark_results",
    "training_curves",
    "proxy_scores",
    "model_clusters",
    "selections",
    "selection_stages",
)
_NAMES_IGNORE_CASE = 19  # the migration from which on names that differ by case are one
_MODELS_ARE_DESCRIBED = 21  # the migration from which on `models` has what cards say
LOCK_SECONDS = 0.1  # between two tries to open a file that another process has
_CANNOT_OPEN = (duckdb.IOException, duckdb.BinderException, duckdb.ConnectionException)


def open_database(
    path: str, read_only: bool, config: dict[str, Any], wait: float = 0.0
) -> duckdb.DuckDBPyConnection:
    """Opens a database as a model store; a file that is new, or of an older version, is brought to this one.

    Parameters
    ----------
    path
        A file, or ``:memory:``.
    read_only
        Whether it is opened for reading alone.
    config
        DuckDB's own settings.
    wait
        How many seconds to wait for a file that another process has open.

    Returns
    -------
    duckdb.DuckDBPyConnection
        A connection with the tables of this version and the functions of SQL.

    Raises
    ------
    StoreError
        Another process has the file open, it is no DuckDB file, it is of a newer version, it has tables of its own
        with a store's names, or it is read-only and lacks a migration.
    """
    if read_only and path == ":memory:":
        raise StoreError("a database in memory cannot be read-only: give a file's path")
    deadline = time.monotonic() + wait
    while True:
        try:
            if not read_only:
                begin_file(path, config)
            connection = duckdb.connect(path, read_only=read_only, config=config)
            break
        except duckdb.Error as error:
            if not isinstance(error, _CANNOT_OPEN) and not _is_corrupt(str(error)):
                raise
            if not _is_locked(str(error)) or time.monotonic() > deadline:
                kind = LockedStoreError if _is_locked(str(error)) else StoreError
                raise kind(_why_not_opened(path, read_only, str(error))) from None
        time.sleep(LOCK_SECONDS)
    try:
        register(connection)  # first: DuckDB looks for the functions that a macro names when it is made
        _migrate(connection, path, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def begin_session(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Makes what each connection has for itself; ``database`` is the name that the store is attached by."""
    for sql in session():
        connection.sql(in_full(sql, database))  # which leaves no result open


def find_winners(
    connection: duckdb.DuckDBPyConnection, database: str, checkpoints: AnyPath, read_only: bool
) -> dict[str, str]:
    """Finds the winners of a store that was moved with its folder of checkpoints, and stores where they are.

    Returns
    -------
    dict
        By the uris in the file, those of winners that are elsewhere, where the file cannot be changed.
    """
    if not isinstance(checkpoints, Path) or not checkpoints.is_dir():
        return {}
    from modelstore.store.winners import Winners  # here, as it takes NumPy, and a new store has none

    winners = Winners(connection, database)
    moved = winners.moved(checkpoints)
    if read_only or not moved:
        return moved
    connection.execute("BEGIN")
    try:
        winners.move(moved)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return {}


def _is_corrupt(message: str) -> bool:
    return message.startswith("Corrupt database file")


def _is_locked(message: str) -> bool:
    return "Could not set lock on file" in message


def _why_not_opened(path: str, read_only: bool, message: str) -> str:
    if _is_corrupt(message):
        return f'"{path}" is damaged: restore it from a copy (DuckDB says: {message.splitlines()[0]})'
    if _is_locked(message):
        return (
            f'"{path}" is open in another process: close it there, '
            "or open it read-only in both (it can have one writer at a time); connect(…, wait=60) waits for it"
        )
    if "not a valid DuckDB database file" in message:
        return f'"{path}" is not a DuckDB database file'
    if read_only and not Path(path).exists():
        return f'"{path}" does not exist, so it cannot be opened read-only'
    if "No space left" in message:
        return f'"{path}" cannot be written: the disk is full; free space there, and open it again'
    if "same database file with a different configuration" in message:
        return (
            f'"{path}" is open in this process with other settings: open it the same way (read_only, config)'
        )
    return f'"{path}" cannot be opened: {message.splitlines()[0]}'


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = 'modelstore_version' AND schema_name = 'main' "
        "AND database_name = current_database()"
    ).fetchall()
    if not found:
        return None
    [(version,)] = connection.execute("SELECT max(version) FROM main.modelstore_version").fetchall()
    return None if version is None else int(version)


def _migrate(connection: duckdb.DuckDBPyConnection, path: str, read_only: bool) -> None:
    """Brings a file to this version, in one transaction."""
    version, newest = _version(connection), migrations()[-1][0]
    if version == newest:
        return
    if read_only and (version is None or version < newest):
        raise StoreError(
            f'"{path}" is not a model store of this version: open it once for writing, and it will be made one'
        )
    connection.execute("BEGIN")
    try:
        bring_up_to_date(connection, path)
        connection.execute("COMMIT")
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # a COMMIT that fails has ended the transaction
            connection.execute("ROLLBACK")
        if "No space left" in str(error):
            raise StoreError(_why_not_opened(path, read_only, str(error))) from None
        raise
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    if version is not None:
        import logging  # here, as most files need no migration

        logging.getLogger(__name__).info('"%s" was brought from version %d to %d', path, version, newest)


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    """Runs the migrations that the current database lacks, within the transaction that is open.

    Parameters
    ----------
    connection
        The connection.
    path
        What an error calls the database.

    Raises
    ------
    StoreError
        It is of a newer version, or something in it has a name of the store's.
    """
    version, known = _version(connection), migrations()
    newest = known[-1][0]
    if version is not None and version > newest:
        raise StoreError(
            f'"{path}" was written by a newer modelstore (its schema is version {version}, this one knows '
            f"{newest}): upgrade modelstore"
        )
    if version is None:
        _refuse_foreign_tables(connection, path)
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS main.modelstore_version (version INTEGER)")
        for number, sql in known:
            if version is None or number > version:
                connection.execute(sql)
                connection.execute("INSERT INTO main.modelstore_version VALUES (?)", [number])
        if version is not None and version < _MODELS_ARE_DESCRIBED:
            from modelstore.store.described_models import describe_models  # here, as few files need it

            describe_models(connection)
        if version is not None and version < _NAMES_IGNORE_CASE:  # once all tables with names are there
            from modelstore.store.spellings import rename_twins  # here, as few files need it

            for sentence in rename_twins(connection):
                notify(sentence)
    except duckdb.CatalogException as error:  # a view or macro of the file's own has a name of the store's
        raise StoreError(
            f'"{path}" cannot be made a model store of this version: {str(error).splitlines()[0]} '
            "(rename what has that name, or use another file)"
        ) from None


def _refuse_foreign_tables(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND table_schema = 'main' AND list_contains(?, table_name) ORDER BY 1",
        [list(_STORE_TABLES)],
    ).fetchall()
    if found:
        names = ", ".join(name for (name,) in found)
        raise StoreError(
            f'"{path}" has tables of its own named {names}, which a model store needs for itself: '
            "rename them, or use another file"
        )
