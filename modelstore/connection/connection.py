"""The Python DB API: a DuckDB connection that also takes the statements of a model store."""

import atexit
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from modelstore.caller import SQLALCHEMY, Caller
from modelstore.connection import best_model
from modelstore.connection.best_model import BestModel
from modelstore.connection.forking import Inherited, after_fork, inherit_file
from modelstore.connection.last_result import LastResult
from modelstore.connection.rows import Rows
from modelstore.connection.script_runner import ScriptRunner
from modelstore.data.remote import AnyPath
from modelstore.planner.prediction import functions
from modelstore.store.database import begin_session
from modelstore.store.transactions import in_transaction

if TYPE_CHECKING:
    from modelstore.store import Store
    from modelstore.tracking import Tracker

_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class Connection(Rows):
    """A PEP 249 connection and cursor in one.

    What it does not define itself is DuckDB's (``.df()``, ``.register()``, …). As in DuckDB, it commits by itself
    outside ``BEGIN``, and a cursor is a connection of its own to the same database. `connect` makes one.
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

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        database: str,
        checkpoints: AnyPath,
        read_only: bool,
        moved: Mapping[str, str],
        cluster: str | None,
        tracker: "Tracker | None",
    ):
        begin_session(connection, database)
        self._duckdb = connection
        self._database = database
        self._checkpoints = checkpoints
        self._read_only = read_only
        self._moved = moved
        self._cluster = cluster
        self._tracker = tracker
        self._last = LastResult(connection)
        self._runner = self._new_runner()
        functions.begin_session(connection, self._runner.predictions)
        self._began = False  # a transaction, by `begin`
        self.notices: list[str] = []  # none: dialects that SQLAlchemy derives from PostgreSQL's look for some
        self._file: str | None = None  # what `connect` has opened
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._duckdb, name)
        if not callable(value):
            return value

        @wraps(value)
        def call(*arguments: Any, **named: Any) -> Any:
            self._runner.transaction_is_untouched = False
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

    # --- running statements

    def execute(self, query: Any, parameters: Any = None) -> "Connection":
        """Runs a statement or a script.

        Parameters
        ----------
        query
            The text, of DuckDB's and extension statements, or a statement that DuckDB's `extract_statements` gave.
        parameters
            A sequence, or a mapping from names: the values of the last statement's parameters.

        Returns
        -------
        Connection
            Itself, to fetch the last statement's rows from.

        Raises
        ------
        Error
            DuckDB's, or one of `modelstore.errors`. An error in a script with extension statements is raised before
            any of it has run.

        Examples
        --------
        >>> import modelstore
        >>> with modelstore.connect() as connection:
        ...     connection.execute("SELECT ? + 1", [41]).fetchall()
        [(42,)]
        """
        last = self._last
        if query is last.sql and last.needs_no_scope:  # once more: nothing about it is to be found out
            self._duckdb.execute(query, parameters)
            return self
        self._runner.execute(query, parameters, Caller(2))
        return self

    def executemany(self, sql: Any, parameters: Any = None) -> "Connection":
        """Runs a statement once for each set of parameters."""
        caller = Caller(2)
        script = self._runner.read(sql) if parameters is not None else None
        if script is not None:
            for values in parameters:
                self._runner.forget_results()
                self._runner.execute_script(script, values, caller, self._duckdb.execute)
            return self
        self._runner.forget_results()
        self._runner.run(caller, self._duckdb.executemany, sql, parameters)
        return self

    def sql(self, query: Any, *, alias: str = "", params: Any = None) -> duckdb.DuckDBPyRelation | None:
        """As DuckDB's: a relation over a query's rows, or None after a statement without rows.

        A query with an extension statement in it runs once, now, and the relation is over what it returned.
        """
        caller = Caller(2)
        if isinstance(query, str) and self._runner.imports(query):
            self._runner.forget_results()
            self._runner.import_databases(query, params, caller)
            return None
        script = self._runner.read(query)
        self._runner.forget_results()
        if script is None:
            return self._runner.call(caller, self._duckdb.sql, query, alias=alias, params=params)
        relation = None

        def read(text: str, values: Any = None) -> None:
            nonlocal relation
            relation = self._duckdb.sql(text, params=values or None)

        self._runner.execute_script(script, params, caller, read)
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
        method: str | None = None,
        **options: Any,
    ) -> BestModel:
        """Runs `SELECT BEST MODEL FOR dataset`, whose clauses the arguments are.

        Parameters
        ----------
        dataset
            The target.
        models
            The relation of `FROM`, as SQL.
        where
            The predicate of `WHERE`, as SQL.
        method
            The strategy of `USING`; None for the default.
        **options
            The options of `WITH`.

        Returns
        -------
        BestModel
            The winner: ``con.select_best_model('reviews', where='parameters < 200e6', recall=10).load()``.
        """
        sql, values = best_model.statement(dataset, models, where, method, options)
        self._runner.execute(sql, values, Caller(2))
        row = self.fetchone()
        assert row is not None
        return BestModel(*row[1:])

    def report(self, path: str | Path, *, recipe: str | None = None, watch: bool = False) -> None:
        """Writes a page to look at: one HTML file with the selections, the matrix, the clusters and the models.

        What it reads takes the place of rows that are still to be fetched.

        Parameters
        ----------
        path
            The file, whose name ends with ``.html``.
        recipe
            Whose results are shown; by default the recipe with the most.
        watch
            Whether the file is renewed as the selections of this connection go on, and after each of its extension
            statements; until it is closed, or `report` is called again. A cursor is a connection of its own.

        Raises
        ------
        StoreError
            The file cannot be written.
        NotFoundError
            There is no result of the recipe.

        Examples
        --------
        >>> import modelstore, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, modelstore.connect() as connection:
        ...     connection.report(folder + "/page.html")
        """
        from modelstore.report.gather import page_of
        from modelstore.report.html import html_of, write
        from modelstore.report.watcher import RENEW, Watcher

        title = "a store in memory" if self._file is None else Path(self._file).name

        def make(renew: float | None) -> str:
            return html_of(page_of(self.store, title, recipe, renew))

        file = Path(path)
        write(make(RENEW if watch else None), file)
        self._runner.watcher = Watcher(file, make) if watch else None

    def check(self, sql: str) -> None:
        """Reads a script and runs nothing. Raises the error of the first statement that is wrong."""
        self._runner.check(sql)

    def interrupt(self) -> None:
        """Stops the statement that another thread runs on this connection, training included.

        That statement raises ``duckdb.InterruptException``; what it has stored stays.
        """
        self._duckdb.interrupt()  # first: a statement of ours that hears of it stores how it ended
        self._runner.interrupt()

    # --- the database

    @property
    def store(self) -> "Store":
        """The records as Python values; what it reads takes the place of rows that are still to be fetched."""
        from modelstore.store import Store

        return Store(self._duckdb, database=self._database, moved=self._moved)

    @property
    def may_have_leftovers(self) -> bool:
        """Whether there is a folder of checkpoints on this disk, from which leftovers may be removed."""
        folder = self._checkpoints
        return not self._read_only and isinstance(folder, Path) and folder.is_dir()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open. Raises ``duckdb.TransactionException`` where it is open and aborted."""
        return in_transaction(self._duckdb)

    def begin(self) -> "Connection":
        """Begins a transaction.

        Clients such as SQLAlchemy begin one before each statement. A statement that commits as it goes, such as
        `BENCHMARK`, therefore runs before the transaction's own work; after other changes it is refused.
        """
        self._duckdb.begin()
        self._runner.transaction_is_untouched = True
        self._began = True
        return self

    def commit(self) -> "Connection":
        """Stores what the open transaction has changed.

        After `begin`, the rows that an extension statement has left to fetch stay: clients commit before they fetch.
        """
        rows = self.fetch_arrow_table() if self._began and self._runner.has_answer else None
        self._duckdb.commit()
        self._end_transaction()
        if rows is not None:
            self._runner.answer_with(rows)
        return self

    def rollback(self) -> None:
        """Undoes the open transaction; outside of one there is nothing to undo."""
        with suppress(duckdb.TransactionException):  # none is open
            self._duckdb.rollback()
        self._end_transaction()

    def _end_transaction(self) -> None:
        self._began = self._runner.transaction_is_untouched = False

    def cursor(self) -> "Connection":
        """A connection of its own to the same database, as in DuckDB; for SQLAlchemy, a part of this one.

        SQLAlchemy begins and ends on the connection the transactions that its cursors work in.
        """
        return _PartOf(self) if Caller(2).module == SQLALCHEMY else self.duplicate()

    def duplicate(self) -> "Connection":
        """A connection of its own to the same database, as in DuckDB."""
        cursor = Connection(
            self._duckdb.cursor(),
            self._database,
            self._checkpoints,
            self._read_only,
            self._moved,
            self._cluster,
            self._tracker,
        )
        cursor._file = self._file
        return cursor

    @property
    def connection(self) -> "Connection":
        """Itself, as it is its own cursor: PEP 249 gives cursors this attribute, which clients ask for."""
        return self

    def close(self) -> None:
        """Closes the connection; closing it again does nothing.

        A statement that another thread runs on it is interrupted first; other cursors go on.
        """
        self._runner.stop()
        if self._tracker is not None:
            self._tracker.flush()
        self._duckdb.close()
        _open.discard(self)

    def _new_runner(self) -> ScriptRunner:
        return ScriptRunner(
            self._duckdb,
            self._database,
            self._checkpoints,
            self._read_only,
            self._last,
            self._moved,
            self._cluster,
            self._tracker,
        )

    def _leave_to_parent(self) -> None:
        """In a process that was forked: makes the connection one that says that it is its parent's."""
        if self._file is not None:
            inherit_file(self._file)
        inherited: Any = Inherited(self._duckdb)
        self._duckdb = inherited
        self._last = LastResult(inherited)
        self._tracker = None  # whose thread the fork has left behind
        self._runner = self._new_runner()

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing, as PEP 249 allows: DuckDB needs no hint."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows: DuckDB needs no hint."""


class _PartOf(Connection):
    """A cursor that is the connection which made it; closing it closes nothing."""

    def __init__(self, connection: Connection):
        self.__dict__ = connection.__dict__

    def close(self) -> None:
        """Does nothing: the connection stays open."""


def _close_all() -> None:
    # DuckDB complains at exit about connections left open with Python functions registered.
    for connection in list(_open):
        connection.close()


def _leave_all_to_parent() -> None:
    for connection in list(_open):
        connection._leave_to_parent()
    _open.clear()


atexit.register(_close_all)
after_fork(_leave_all_to_parent)
