"""The names that completion offers, from the store, the catalog and DuckDB itself."""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import duckdb

from modelstore.connection import Connection
from modelstore.public import NAMES

_MOST = 200


class Names:
    """Names by kind.

    Models, datasets, recipes and selections are read each time, at most 200, through a cursor: a transaction that is
    open in the shell is neither seen nor disturbed. Tables and columns are read from DuckDB's catalog functions on
    the shell's own connection, which knows its temporary tables and what it has not yet committed; they are
    remembered until `forget`.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._cursor = connection.cursor()
        self._fixed = connection.cursor()  # for what never changes, which another thread may read
        self._warming = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Reads tables and columns again when they are next asked for: statements may have changed them."""
        self._tables: list[tuple[str, str]] | None = None
        self._columns: dict[str, list[tuple[str, str]]] = {}

    def warm(self) -> None:
        """Reads what never changes, so that the first completion does not wait for it."""
        self._static  # noqa: B018

    # --- of the store

    def models(self, part: str) -> list[tuple[str, str]]:
        """(name, architecture) of the registered models whose name holds ``part``."""
        return self._ask(lambda: self._cursor.store.catalog.models_holding(part, _MOST))

    def datasets(self, part: str) -> list[tuple[str, str]]:
        """(name, task) of the registered datasets whose name holds ``part``."""
        return self._ask(lambda: self._cursor.store.catalog.datasets_holding(part, _MOST))

    def recipes(self) -> list[tuple[str, str]]:
        """(name, nothing) of the recipes, those of public records in the store after the others."""
        return self._ask(lambda: [(name, "") for name in self._recipes()])

    def _recipes(self) -> list[str]:
        store = self._cursor.store
        return list(dict.fromkeys([*store.recipes.defined(), *store.public_results.counts(NAMES)]))

    def selections(self, *statuses: str) -> list[tuple[str, str]]:
        """(id, dataset, method and status) of the selections of these statuses, or of all; the newest first."""
        return self._ask(
            lambda: [
                (str(number), ", ".join(filter(None, described)))
                for number, *described in self._cursor.store.selections.latest(statuses, _MOST)
            ]
        )

    @staticmethod
    def _ask(query: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
        try:
            return query()
        except duckdb.Error:  # a person who types wants no error message: nothing is offered
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
        """DuckDB's keywords, in upper case."""
        return self._static[0]

    @property
    def functions(self) -> list[str]:
        """Its functions and macros that give a value."""
        return self._static[1]

    @property
    def table_functions(self) -> list[str]:
        """Its functions and macros that give a table."""
        return self._static[2]

    @property
    def settings(self) -> list[str]:
        """Its settings."""
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
