"""`IMPORT DATABASE` into a store: its own tables make way for those of the export.

DuckDB's statement would find the store's tables there already. It also makes views and macros in the order in which
they were exported, which is by name, whatever they name in turn.
"""

import re
from pathlib import Path

import duckdb

from modelstore.errors import StoreError
from modelstore.schema import migrations
from modelstore.sql_text import in_full, literal, quoted
from modelstore.store.database import bring_up_to_date
from modelstore.store.transactions import in_transaction
from modelstore.udfs.register import register

_Made = tuple[str, str, str]  # kind, schema and name of a table or the like
_statement = re.compile(r"\s*IMPORT\s+DATABASE\s+'((?:[^']|'')*)'\s*;?\s*", re.IGNORECASE)
_source = re.compile(r"(?<= FROM )'((?:[^']|'')*)'")
_REMADE = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(VIEW|MACRO|FUNCTION)\b", re.IGNORECASE)


def imported_folder(statement: duckdb.Statement) -> Path | None:
    """The folder that a statement imports; None for another statement."""
    if statement.type != duckdb.StatementType.PRAGMA:
        return None
    found = _statement.fullmatch(statement.query)
    return Path(found[1].replace("''", "'")) if found else None


def import_database(connection: duckdb.DuckDBPyConnection, database: str, folder: Path) -> None:
    """Fills a store that is empty with an export of a store, or of another database; all of it, or nothing.

    Parameters
    ----------
    connection
        The store's; its current database is the store.
    database
        The name under which it is attached.
    folder
        What `EXPORT DATABASE` has written.

    Raises
    ------
    StoreError
        The store is not empty, a transaction is open, or the export has tables of its own with a store's names.
    duckdb.Error
        DuckDB's, where the folder cannot be read.
    """
    if in_transaction(connection):
        raise StoreError("IMPORT DATABASE takes the place of the store's tables, outside BEGIN: COMMIT first")
    schema, load = (_statements(connection, folder / name) for name in ("schema.sql", "load.sql"))
    schema = _in_order(schema)
    own = _own()
    _check_empty(connection, database, own)
    connection.execute("BEGIN")
    try:
        _drop(connection, database, own)
        for sql in schema:
            connection.execute(sql)
        for sql in load:
            connection.execute(_source.sub(lambda found: _beside(folder, found[1]), sql, count=1))
        bring_up_to_date(connection, str(folder))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The statements of a file of an export. Raises ``duckdb.IOException``."""
    [(text,)] = connection.execute(in_full(f"SELECT content FROM read_text({literal(path)})")).fetchall() or [
        ("",)
    ]
    return [statement.query for statement in connection.extract_statements(text)]


def _beside(folder: Path, exported: str) -> str:
    """The file of an export, wherever its folder is now."""
    return literal(folder / Path(exported.replace("''", "'")).name)


def _in_order(statements: list[str]) -> list[str]:
    """The statements of an export's schema, each view and macro after those that it names.

    Raises ``duckdb.Error`` for one that names what is not there.
    """
    first = [sql for sql in statements if not _REMADE.match(sql)]
    waiting = [sql for sql in statements if _REMADE.match(sql)]
    ordered: list[str] = []
    with duckdb.connect() as scratch:
        register(scratch)
        for sql in first:
            scratch.execute(sql)
        while waiting:
            refused: list[tuple[str, duckdb.Error]] = []
            for sql in waiting:
                try:
                    scratch.execute(sql)
                    ordered.append(sql)
                except (duckdb.CatalogException, duckdb.BinderException) as error:
                    refused.append((sql, error))
            if len(refused) == len(waiting):
                raise refused[0][1]
            waiting = [sql for sql, _ in refused]
    return first + ordered


_OWN = """
    SELECT 'VIEW', 'main', view_name FROM duckdb_views() WHERE NOT internal AND database_name = $database
    UNION ALL SELECT 'TABLE', schema_name, table_name FROM duckdb_tables() WHERE database_name = $database
    UNION ALL SELECT DISTINCT if(function_type = 'macro', 'MACRO', 'MACRO TABLE'), 'main', function_name
    FROM duckdb_functions() WHERE database_name = $database AND NOT internal
    UNION ALL SELECT 'SEQUENCE', schema_name, sequence_name FROM duckdb_sequences() WHERE database_name = $database
    UNION ALL SELECT 'SCHEMA', '', schema_name FROM duckdb_schemas()
    WHERE database_name = $database AND NOT internal AND schema_name <> 'main'
"""


def _own() -> list[_Made]:
    """What a new store has."""
    with duckdb.connect() as scratch:
        register(scratch)
        scratch.execute("CREATE TABLE main.modelstore_version (version INTEGER)")
        for _, sql in migrations():
            scratch.execute(sql)
        return scratch.execute(_OWN, {"database": "memory"}).fetchall()


def _check_empty(connection: duckdb.DuckDBPyConnection, database: str, own: list[_Made]) -> None:
    """Raises ``StoreError`` where tables of the store have rows."""
    tables = [name for kind, _, name in own if kind == "TABLE" and name != "modelstore_version"]
    filled = [
        name
        for name in sorted(tables)
        if connection.execute(in_full(f"SELECT 1 FROM main.{name} LIMIT 1", database)).fetchall()
    ]
    if filled:
        raise StoreError(
            f"IMPORT DATABASE fills a new store, and this one has rows in {', '.join(filled)}: "
            "connect to a new file, and import into that"
        )


def _drop(connection: duckdb.DuckDBPyConnection, database: str, own: list[_Made]) -> None:
    kinds = ("VIEW", "MACRO", "MACRO TABLE", "TABLE", "SEQUENCE", "SCHEMA")
    for kind, schema, name in sorted(own, key=lambda one: kinds.index(one[0])):
        path = [quoted(part) for part in (database, schema, name) if part]
        connection.execute(f"DROP {kind} IF EXISTS {'.'.join(path)}")
