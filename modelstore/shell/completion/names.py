"""The names that completion offers, from the store, the catalog and DuckDB itself."""

import threading
from functools import cached_property
from typing import Any

import duckdb

from modelstore.connection import Connection

_MOST = 200


class Names:
    """Names by kind. Of models and datasets, those that hold a text, at most 200, are asked for each time.

    They are read through a cursor: a transaction that is open in the shell is neither seen nor disturbed. Tables
    and columns are read from DuckDB's own catalog functions on the shell's connection, for its temporary tables and
    what it has made but not yet committed, and kept until `forget`.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._cursor = connection.cursor()
        self._fixed = connection.cursor()  # of what never changes, which may be read in another thread
        self._warming = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Statements have run: tables and columns are read anew."""
        self._tables: list[tuple[str, str]] | None = None
        self._columns: dict[str, list[tuple[str, str]]] = {}

    def warm(self) -> None:
        """Reads what never changes, so that the first completion need not wait for it."""
        self._static  # noqa: B018

    # --- of the store

    def models(self, part: str) -> list[tuple[str, str]]:
        """(name, architecture) of registered models."""
        return self._holding("SELECT name, coalesce(architecture, '') FROM main.models", "name", part)

    def datasets(self, part: str) -> list[tuple[str, str]]:
        """(name, task) of registered datasets."""
        return self._holding("SELECT name, coalesce(task, '') FROM main.datasets", "name", part)

    def recipes(self) -> list[tuple[str, str]]:
        return self._ask("SELECT name, '' FROM main.recipes UNION SELECT 'default', '' ORDER BY 1")

    def selections(self, *statuses: str) -> list[tuple[str, str]]:
        """(id, what it was for) of the selections of these statuses, or of all; the newest first."""
        return self._ask(
            "SELECT id::VARCHAR, concat_ws(', ', dataset, method, status) FROM main.selections "
            "WHERE ? = [] OR list_contains(?, status) ORDER BY id DESC LIMIT ?",
            [list(statuses), list(statuses), _MOST],
        )

    def _holding(self, query: str, column: str, part: str) -> list[tuple[str, str]]:
        low = part.lower()
        return self._ask(
            f"{query} WHERE contains(lower({column}), ?) ORDER BY NOT starts_with(lower({column}), ?), 1 LIMIT ?",
            [low, low, _MOST],
        )

    def _ask(self, sql: str, values: list[Any] | None = None) -> list[tuple[str, str]]:
        try:
            return [(name, said) for name, said in self._cursor.execute(sql, values or []).fetchall()]
        except duckdb.Error:  # nothing to offer, which is no reason to complain while somebody types
            return []

    # --- of DuckDB's catalog

    def tables(self) -> list[tuple[str, str]]:
        """(name, kind) of the tables and views."""
        if self._tables is None:
            self._tables = self._catalog(
                "SELECT table_name, 'table' FROM duckdb_tables() "
                "WHERE NOT internal AND NOT starts_with(table_name, 'modelstore_') "
                "UNION SELECT view_name, 'view' FROM duckdb_views() "
                "WHERE NOT internal AND NOT starts_with(view_name, 'modelstore_') ORDER BY 1"
            )
        return self._tables

    def columns(self, table: str) -> list[tuple[str, str]]:
        """(name, type) of a table's columns, none where it is unknown."""
        if table not in self._columns:
            self._columns[table] = self._catalog(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE lower(table_name) = lower(?) "
                "ORDER BY column_index",
                [table],
            )
        return self._columns[table]

    def members(self, qualifier: str) -> list[tuple[str, str]]:
        """What may stand after `qualifier.`: a table's columns, or else a schema's tables and views."""
        return self.columns(qualifier) or self._catalog(
            "SELECT table_name, 'table' FROM duckdb_tables() WHERE lower(schema_name) = lower($1) "
            "UNION SELECT view_name, 'view' FROM duckdb_views() WHERE lower(schema_name) = lower($1) ORDER BY 1",
            [qualifier],
        )

    def _catalog(self, sql: str, values: list[Any] | None = None) -> list[tuple[str, str]]:
        try:
            return list(dict(self._connection.execute(sql, values or []).fetchall()).items())
        except duckdb.Error:  # the open transaction is aborted
            return []

    # --- of DuckDB

    @property
    def keywords(self) -> list[str]:
        return self._static[0]

    @property
    def functions(self) -> list[str]:
        return self._static[1]

    @property
    def table_functions(self) -> list[str]:
        return self._static[2]

    @property
    def settings(self) -> list[str]:
        return self._static[3]

    @property
    def _static(self) -> tuple[list[str], list[str], list[str], list[str]]:
        with self._warming:
            return self._read_static

    @cached_property
    def _read_static(self) -> tuple[list[str], list[str], list[str], list[str]]:
        queries = (
            "SELECT DISTINCT upper(keyword_name) FROM duckdb_keywords() ORDER BY 1",
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', "
            "'macro') AND function_name SIMILAR TO '[a-z]\\w*' ORDER BY 1",
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro') "
            "AND function_name SIMILAR TO '[a-z]\\w*' ORDER BY 1",
            "SELECT name FROM duckdb_settings() ORDER BY 1",
        )
        keywords, functions, tables, settings = (
            [name for (name,) in self._fixed.execute(query).fetchall()] for query in queries
        )
        return keywords, functions, tables, settings
