"""SQLAlchemy's dialect: `create_engine("modelstore:///zoo.db")`.

SQL is written by SQLAlchemy's PostgreSQL compiler, with what DuckDB has otherwise. (The package duckdb-engine has
stood still since DuckDB 1.2 and fails to reflect with SQLAlchemy 2.1; duckdb-sqlalchemy refuses DuckDB 2.)
"""

from collections import deque
from itertools import count
from types import ModuleType
from typing import Any, ClassVar
from weakref import WeakSet

from sqlalchemy import pool, types
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.exc import ArgumentError, NotSupportedError
from sqlalchemy.util import asbool

import modelstore
from modelstore.clients.sqlalchemy_compilers import IdentifierPreparer, StatementCompiler, TypeCompiler
from modelstore.clients.sqlalchemy_reflection import Reflection

_memories = count(1)


class ExecutionContext(DefaultExecutionContext):
    """One statement. Its rows are fetched at once: the connection is one cursor, which the next statement takes."""

    def post_exec(self) -> None:
        if self.cursor.description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, self.cursor.description, deque(self.cursor.fetchall())
            )

    def fire_sequence(self, seq: Any, type_: Any) -> Any:
        name = self.identifier_preparer._format_sequence_string_literal(seq)
        return self._execute_scalar(f"SELECT nextval({name})", type_)


class Dialect(Reflection):
    """SQLAlchemy over `modelstore.connect`.

    Examples
    --------
    >>> import sqlalchemy
    >>> engine = sqlalchemy.create_engine("modelstore://")
    >>> with engine.connect() as connection:
    ...     connection.execute(sqlalchemy.text("SELECT count(*) FROM models")).scalar()
    0
    """

    name = "modelstore"
    driver = "modelstore"
    default_paramstyle = "qmark"
    execution_ctx_cls = ExecutionContext
    statement_compiler = StatementCompiler
    type_compiler_cls = TypeCompiler
    preparer = IdentifierPreparer
    colspecs: ClassVar = {
        types.JSON.JSONPathType: sqlite.json.JSONPathType,
        types.Interval: postgresql.INTERVAL,
    }

    delete_returning = insert_returning = update_returning = True
    update_returning_multifrom = delete_returning_multifrom = True
    div_is_floordiv = False
    max_identifier_length = 9999
    postfetch_lastrowid = False
    supports_alter = True
    supports_comments = True
    supports_default_metavalue = True
    supports_default_values = True
    supports_empty_insert = False
    supports_multivalues_insert = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    supports_sequences = True
    supports_statement_cache = True
    use_insertmanyvalues = use_insertmanyvalues_wo_returning = True
    _backslash_escapes = False  # what PostgreSQL's compiler looks for

    def __init__(self, **named: Any):
        super().__init__(**named)
        self._committing: WeakSet[modelstore.Connection] = WeakSet()  # by themselves, without a transaction

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        return modelstore

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        return pool.QueuePool

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, Any]]:
        """What `modelstore.connect` is given: the file, its own parameters, and all others as DuckDB's settings."""
        if url.host or url.username or url.port:
            raise ArgumentError(
                f"{url.render_as_string()} names a host, and a model store is a file: write modelstore:///zoo.db"
            )
        # A database in memory has a name, so that the connections of an engine share it.
        path = url.database or f":memory:engine_{next(_memories)}"
        settings: dict[str, Any] = dict(url.query)
        named: dict[str, Any] = {
            name: settings.pop(name) for name in ("checkpoints", "cluster", "tracking") if name in settings
        }
        if "read_only" in settings:
            named["read_only"] = asbool(settings.pop("read_only"))
        if "wait" in settings:
            named["wait"] = float(settings.pop("wait"))
        return [path], named | ({"config": settings} if settings else {})

    # --- transactions

    def do_begin(self, dbapi_connection: Any) -> None:
        if not self._commits_by_itself(dbapi_connection):
            dbapi_connection.begin()

    def do_commit(self, dbapi_connection: Any) -> None:
        if not self._commits_by_itself(dbapi_connection):
            dbapi_connection.commit()

    def _commits_by_itself(self, connection: Any) -> bool:
        """Of a store's connection, or the pool's around one."""
        return getattr(connection, "dbapi_connection", connection) in self._committing

    def do_savepoint(self, connection: Any, name: str) -> None:
        raise NotSupportedError("begin_nested() takes a savepoint, which DuckDB does not have", None, None)

    def get_isolation_level_values(self, dbapi_connection: Any) -> list[str]:
        return ["SNAPSHOT", "AUTOCOMMIT"]

    def get_isolation_level(self, dbapi_connection: Any) -> str:
        return "AUTOCOMMIT" if self._commits_by_itself(dbapi_connection) else "SNAPSHOT"

    def get_default_isolation_level(self, dbapi_connection: Any) -> str:
        return "SNAPSHOT"

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        if level == "AUTOCOMMIT":
            self._committing.add(dbapi_connection)
        else:
            self._committing.discard(dbapi_connection)
