"""The Python DB API: a DuckDB connection that also takes the statements of a model store.

SQL that DuckDB parses is passed to it as it is, and at no cost but a look at its words. Only where DuckDB
says that it cannot parse a text are our statements looked for in it.
"""

import atexit
import re
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from modelstore import interruption
from modelstore.caller import Caller
from modelstore.connection import best_model
from modelstore.connection.best_model import BestModel
from modelstore.connection.results import gives_rows, is_query, may_be_no_rows
from modelstore.store.database import open_database
from modelstore.store.transactions import in_transaction

if TYPE_CHECKING:
    from modelstore.store import Store

Last = Callable[[str, Any], Any]  # DuckDB's execute, or its like
# Every statement of ours has one of these words.
_may_be_ours = re.compile(
    r"\b(?:BEST|RECALL|BENCHMARKS?|CLUSTER|MODEL|DATASET|RESUME|COMPARE)\b", re.IGNORECASE
).search
# All but one SELECT without any of the words that the name of a table may stand after.
_may_name_tables = re.compile(
    r"\A(?!\s*SELECT\b)|;|\b(?:FROM|TABLE|DESC|DESCRIBE|SHOW|SUMMARIZE|PIVOT\w*|UNPIVOT)\b", re.IGNORECASE
).search
_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def connect(
    path: str | Path = ":memory:",
    read_only: bool = False,
    checkpoints: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> "Connection":
    """Opens a model store, and makes one where there is none.

    ``path`` is a DuckDB file; ``checkpoints`` is where fine-tuned winners are saved (beside the file, in
    ``<path>.checkpoints``); ``config`` is DuckDB's own. Raises ``StoreError``.
    """
    name = str(path)
    connection = open_database(name, read_only, dict(config or {}))
    folder = Path(checkpoints) if checkpoints is not None else _checkpoints_of(name)
    return Connection(connection, folder.absolute(), read_only)


def _checkpoints_of(path: str) -> Path:
    return Path("modelstore.checkpoints" if path.startswith(":memory:") else path + ".checkpoints")


class Connection:
    """A PEP 249 connection, and cursor; what it does not define itself is DuckDB's (``.df()``, ``.register()``, …).

    As in DuckDB, it commits by itself outside ``BEGIN``, and a cursor is a connection of its own to the same
    database.
    """

    Warning = duckdb.Warning
    Error = duckdb.Error
    InterfaceError = duckdb.Error
    DatabaseError = duckdb.DatabaseError
    DataError = duckdb.DataError
    OperationalError = duckdb.OperationalError
    IntegrityError = duckdb.IntegrityError
    InternalError = duckdb.InternalError
    ProgrammingError = duckdb.ProgrammingError
    NotSupportedError = duckdb.NotSupportedError

    arraysize = 1  # rows that `fetchmany` gives unless it is told how many

    def __init__(self, connection: duckdb.DuckDBPyConnection, checkpoints: Path, read_only: bool):
        self._duckdb = connection
        self._checkpoints = checkpoints
        self._read_only = read_only
        self._results: list[str] = []
        self._has_rows: bool | None = False  # None: not known yet
        self._sql: Any = None  # the last text that DuckDB took
        self._needs_no_scope = False  # whether it names no table, which could be a variable
        self._stop = threading.Event()
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._duckdb, name)
        if not callable(value):
            return value

        @wraps(value)
        def call(*arguments: Any, **named: Any) -> Any:
            result = Caller(2).run(value, *arguments, **named)
            return self if result is self._duckdb else result

        return call

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The last statement's columns; None where it has no rows to fetch."""
        return self._duckdb.description if self._has_rows or self._find_rows() else None

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None after the last. Raises an ``Error`` where there are no rows to fetch."""
        if not self._has_rows:
            self._check_rows()
        return self._duckdb.fetchone()

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next ``size`` rows (``arraysize`` by default), fewer at the end."""
        if not self._has_rows:
            self._check_rows()
        return self._duckdb.fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        if not self._has_rows:
            self._check_rows()
        return self._duckdb.fetchall()

    def pl(self) -> Any:
        """The rows that are left, as a ``polars.DataFrame``: a DuckDB connection itself gives none since version 2.

        Raises
        ------
        ImportError
            Polars is not installed.
        """
        try:
            polars = import_module("polars")
        except ImportError:
            raise ImportError("pl() gives a Polars frame, which needs Polars: pip install polars") from None
        with warnings.catch_warnings():
            # DuckDB recommends a relation's to_arrow_table() instead, but a statement has run already.
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
            return polars.from_arrow(self._duckdb.to_arrow_table())

    def _check_rows(self) -> None:
        if not self._find_rows() and self._duckdb.description is not None:
            raise duckdb.InvalidInputException(
                "the last statement has no rows to fetch: execute a query first"
            )

    def _find_rows(self) -> bool:
        """Whether the last statement has rows to fetch, found out when that is first asked."""
        if self._has_rows is None:
            described = self._duckdb.description
            self._has_rows = bool(described)
            if described and may_be_no_rows([column[0] for column in described]):
                self._has_rows = self._duckdb.rowcount < 0 and is_query(self._statement(), described[0][0])
        return self._has_rows

    def _statement(self) -> duckdb.Statement:
        """The last one that DuckDB took."""
        if isinstance(self._sql, str):
            return self._duckdb.extract_statements(self._sql)[-1]
        return self._sql

    def gives_rows(self, sql: str, columns: Sequence[str]) -> bool:
        """Whether a statement's answer, of these columns, is rows: DuckDB answers one that has none, too."""
        if not may_be_no_rows(columns):
            return True
        from modelstore.language.script import last_statement

        return gives_rows(last_statement(self._duckdb, sql), columns[0])

    def executemany(self, sql: Any, parameters: Any = None) -> "Connection":
        """Runs a statement once for each set of parameters."""
        caller = Caller(2)
        if parameters is not None and self._is_ours(sql):
            for values in parameters:
                self._execute(sql, values, caller)
            return self
        self._forget_results()
        self._run(caller, self._duckdb.executemany, sql, parameters)
        return self

    def rollback(self) -> None:
        """Undoes the open transaction; outside of one there is nothing to undo."""
        if self.in_transaction:
            self._duckdb.rollback()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open. Raises ``duckdb.TransactionException`` where it is open and aborted."""
        return in_transaction(self._duckdb)

    @property
    def store(self) -> "Store":
        """The records as Python values; what it reads takes the place of rows that are still to be fetched."""
        from modelstore.store import Store

        return Store(self._duckdb)

    def check(self, sql: str) -> None:
        """Reads a script and runs nothing. Raises the error of the first statement that is wrong."""
        from modelstore.language.script import check_script, split_script

        check_script(self._duckdb, sql, split_script(self._duckdb, sql))

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing, as PEP 249 allows: DuckDB needs no hint."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows: DuckDB needs no hint."""

    def cursor(self) -> "Connection":
        """A connection of its own to the same database, as in DuckDB."""
        return Connection(self._duckdb.cursor(), self._checkpoints, self._read_only)

    duplicate = cursor

    def interrupt(self) -> None:
        """Stops the statement that another thread runs on this connection, training included.

        That statement raises ``duckdb.InterruptException``; what it has stored stays.
        """
        self._stop.set()
        self._duckdb.interrupt()

    def close(self) -> None:
        """Closes the connection; closing it again does nothing."""
        self._duckdb.close()
        _open.discard(self)

    def execute(self, query: Any, parameters: Any = None) -> "Connection":
        """Runs one or more statements; the last one's rows can be fetched, its parameters are ``parameters``."""
        if query is self._sql and self._needs_no_scope:  # once more: nothing about it is to be found out
            self._duckdb.execute(query, parameters)
            return self
        return self._execute(query, parameters, Caller(2))

    def sql(self, query: Any, *, alias: str = "", params: Any = None) -> duckdb.DuckDBPyRelation | None:
        """As DuckDB's: a relation over a query's rows, or None after a statement without rows.

        A query that has a statement of ours in it runs once, now, and the relation is over what it returned.
        """
        caller = Caller(2)
        if not self._is_ours(query):
            self._forget_results()
            return caller.run(self._duckdb.sql, query, alias=alias, params=params)
        relation = None

        def read(text: str, values: Any = None) -> None:
            nonlocal relation
            relation = self._duckdb.sql(text, params=values or None)

        self._execute(query, params, caller, read)
        if relation is None:
            return None
        rows = self._duckdb.from_arrow(relation.to_arrow_table())
        return rows.set_alias(alias) if alias else rows

    query = from_query = sql

    def select_best_model(
        self,
        dataset: str,
        *,
        models: str | None = None,
        where: str | None = None,
        method: str = "two_phase",
        **options: Any,
    ) -> BestModel:
        """`SELECT BEST MODEL FOR dataset`, whose clauses the arguments are, by the same names.

        ``models`` is the relation of `FROM`, ``where`` a predicate, ``method`` a strategy, ``options`` those
        of `WITH`:  ``con.select_best_model('reviews', where='parameters < 200e6', recall=10).load()``.
        """
        row = self.execute(*best_model.statement(dataset, models, where, method, options)).fetchone()
        assert row is not None
        return BestModel(*row[1:])

    def _execute(self, sql: Any, parameters: Any, caller: Caller, last: Last | None = None) -> "Connection":
        """Runs statements; where some of them are ours, ``last`` is what DuckDB does with the last of them."""
        if self._results:
            self._forget_results()
        once_more = sql is self._sql
        if not once_more and self._is_ours(sql):
            self._execute_script(sql, parameters, caller, last or self._duckdb.execute)
            return self
        self._run(caller, self._duckdb.execute, sql, parameters)
        if not once_more:
            self._needs_no_scope = isinstance(sql, str) and _may_name_tables(sql) is None
        return self

    def _run(self, caller: Caller, execute: Callable[..., Any], sql: Any, *parameters: Any) -> None:
        """Has DuckDB run statements. Those that it cannot parse leave the last result open, as in DuckDB."""
        try:
            caller.run(execute, sql, *parameters)
        except duckdb.ParserException as error:
            raise _meant_for_us(sql) or error from None
        except RuntimeError:
            _check_unicode(sql)
            raise
        self._has_rows, self._sql, self._needs_no_scope = None, sql, False

    def _is_ours(self, sql: Any) -> bool:
        """Whether a text may hold statements of ours: it has a word of theirs, and DuckDB does not parse it.

        The parser is asked before anything runs: a statement that fails in it aborts an open transaction, and
        those before it in a script would have run.
        """
        if not isinstance(sql, str) or _may_be_ours(sql) is None:
            return False
        _check_unicode(sql)
        from modelstore.language.script import parses

        return not parses(self._duckdb, sql)

    def _execute_script(self, sql: str, parameters: Any, caller: Caller, last: Last) -> None:
        """Runs a text that DuckDB does not parse: it is wrong, or has statements of ours and is read whole before."""
        from modelstore.language.script import check_script, split_script

        pieces = split_script(self._duckdb, sql)
        if not any(piece.holds_ours for piece in pieces):
            # Then the error, and what runs before it, are DuckDB's.
            self._run(caller, last, sql)
            return
        check_script(self._duckdb, sql, pieces)
        for position, piece in enumerate(pieces):
            is_last = position == len(pieces) - 1
            values = parameters if is_last else None
            execute = last if is_last else self._duckdb.execute
            if piece.ours is not None:
                self._execute_ours(piece.ours, values, caller, execute)
            else:
                self._run(caller, execute, sql[piece.start : piece.end], values or [])

    def _execute_ours(self, statement: Any, parameters: Any, caller: Caller, execute: Last) -> None:
        """Runs what is ours of a statement, puts its rows in its place, and gives the rest to DuckDB."""
        from modelstore.planner.context import StatementContext
        from modelstore.planner.dispatch import run
        from modelstore.store import Store

        context = StatementContext(
            store=Store(self._duckdb),
            checkpoints=self._checkpoints,
            read_only=self._read_only,
            sql=statement.sql,
            caller=caller,
            parameters=_by_key(parameters),
        )
        self._stop.clear()
        # Until its own rows are there: planning reads others.
        self._has_rows, self._sql, self._needs_no_scope = False, None, False
        try:
            with interruption.stopped_by(self._stop):
                remaining = run(context, statement)
        finally:
            self._results += context.results.values()
        if remaining is not None:  # else it was a definition, which is a statement by itself
            self._run(caller, execute, *remaining)

    def _forget_results(self) -> None:
        if not self._results:
            return
        self._duckdb.abort()  # rows of theirs that nobody has fetched
        for name in self._results:
            self._duckdb.unregister(name)
        self._results.clear()


def _meant_for_us(sql: Any) -> duckdb.ParserException | None:
    """The error for a text that would be ours but for one word's spelling; None for ordinary SQL."""
    from modelstore.language.near_misses import misspelt

    return misspelt(sql) if isinstance(sql, str) else None


def _check_unicode(sql: Any) -> None:
    """Raises ``duckdb.InvalidInputException`` for a text that cannot be encoded, of which DuckDB says less."""
    try:
        if isinstance(sql, str):
            sql.encode()
    except UnicodeEncodeError as error:
        raise duckdb.InvalidInputException(
            f"Invalid Input Error: the statement is no text: {error}"
        ) from None


def _by_key(parameters: Any) -> dict[str, Any]:
    """Parameters by key: a sequence's are numbered from 1."""
    if parameters is None:
        return {}
    if isinstance(parameters, Mapping):
        return {str(key): value for key, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str):
        return {str(number): value for number, value in enumerate(parameters, 1)}
    raise duckdb.InvalidInputException("parameters are a sequence, or a mapping from names to values")


def _close_all() -> None:
    # DuckDB complains at exit about connections left open with functions of ours registered.
    for connection in list(_open):
        connection.close()


atexit.register(_close_all)
