"""The commands that list what the database holds."""

from collections.abc import Sequence

from modelstore.shell.commands.command import DotCommand, Session, write
from modelstore.shell.render.messages import ShellError
from modelstore.sql_text import literal


def _pattern(arguments: Sequence[str]) -> str:
    """The ILIKE pattern for an argument: names that hold it, unless it has a % of its own; without one, all."""
    if not arguments:
        return "%"
    return arguments[0] if "%" in arguments[0] else f"%{arguments[0]}%"


def _tables(session: Session, arguments: list[str]) -> None:
    session.show(
        "SELECT schema, name, kind, rows FROM ("
        "SELECT schema_name AS schema, table_name AS name, 'table' AS kind, estimated_size AS rows, database_name, "
        "internal FROM duckdb_tables() UNION ALL "
        "SELECT schema_name, view_name, 'view', NULL, database_name, internal FROM duckdb_views()) "
        "WHERE NOT internal AND database_name IN (current_database(), 'temp') "
        f"AND NOT starts_with(name, 'modelstore_result_') AND name ILIKE {literal(_pattern(arguments))} ORDER BY ALL"
    )


def _schema(session: Session, arguments: list[str]) -> None:
    rows = session.connection.execute(
        "SELECT sql FROM (SELECT table_name AS name, sql, internal, database_name FROM duckdb_tables() "
        "UNION ALL SELECT view_name, sql, internal, database_name FROM duckdb_views()) WHERE NOT internal "
        "AND database_name IN (current_database(), 'temp') AND name ILIKE ? ORDER BY name",
        [_pattern(arguments)],
    ).fetchall()
    if not rows:
        raise ShellError(f'there is no table or view like "{arguments[0]}": .tables lists them')
    write(session, "".join(f"{sql.rstrip().removesuffix(';')};\n" for (sql,) in rows))


def _models(session: Session, arguments: list[str]) -> None:
    session.show_rows(session.connection.store.catalog.list_models(_pattern(arguments)))


def _datasets(session: Session, arguments: list[str]) -> None:
    session.show_rows(session.connection.store.catalog.list_datasets(_pattern(arguments)))


def _selections(session: Session, arguments: list[str]) -> None:
    session.show_rows(session.connection.store.selections.list_selections(_pattern(arguments)))


TABLES = {
    ".tables": DotCommand("[LIKE]", "list tables and views", _tables),
    ".schema": DotCommand("[LIKE]", "show how tables and views were created", _schema),
}
RECORDS = {
    ".models": DotCommand("[LIKE]", "list the registered models", _models),
    ".datasets": DotCommand("[LIKE]", "list the datasets", _datasets),
    ".selections": DotCommand("[LIKE]", "list the selections, by dataset", _selections),
}
