"""How a text runs: as DuckDB's, or statement by statement where there are extension statements in it.

SQL that DuckDB parses is passed to it as it is, at no cost but a look at its words. Only in a text that DuckDB cannot
parse are extension statements looked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from modelstore.arrow_tables import unregister
from modelstore.caller import JUPYSQL, Caller
from modelstore.connection.last_result import LastResult
from modelstore.data.remote import AnyPath
from modelstore.errors import INTERRUPTIONS, as_database_error, of_function
from modelstore.interruption import Interruption, ctrl_c, forced_is_interrupted
from modelstore.language import statements
from modelstore.memo import Memo
from modelstore.planner.prediction.session import PredictionSession
from modelstore.progress import heard_by
from modelstore.store.transactions import in_transaction
from modelstore.turns import statement_of

if TYPE_CHECKING:
    import pyarrow as pa

    from modelstore.language.script import Script, ScriptStatement
    from modelstore.report.watcher import Watcher
    from modelstore.tracking import Tracker

CLOSING_SECONDS = 10.0  # that closing a connection waits for the end of what another thread runs on it
Last = Callable[[str, Any], Any]  # DuckDB's execute, or its like
# All but one SELECT without any of the words that the name of a table may stand after.
_may_name_tables = re.compile(
    r"\A(?!\s*SELECT\b)|;|\b(?:FROM|TABLE|DESC|DESCRIBE|SHOW|SUMMARIZE|PIVOT\w*|UNPIVOT)\b", re.IGNORECASE
).search
_may_predict = re.compile(r"\b(?:predict|predict_proba|embed)\b", re.IGNORECASE).search
_may_import = re.compile(r"\bIMPORT\s+DATABASE\b", re.IGNORECASE).search


class ScriptRunner:
    """Runs texts on one DuckDB connection.

    Parameters
    ----------
    connection
        The DuckDB connection.
    database
        The name under which the store's database is attached.
    checkpoints
        The folder that fine-tuned winners are saved in.
    read_only
        Whether the database is open for reading alone.
    last
        What is known of the connection's last result; it is kept up to date.
    moved
        Where models are that the file has at other uris, which it is not open to be told.
    cluster
        The address of the Ray cluster that trains; None: this machine does.
    tracker
        What hears of selections and benchmarks, to log them; None: nothing does.

    Attributes
    ----------
    predictions
        What functions that run models know of the connection.
    transaction_is_untouched
        Whether a transaction is open that a client has begun, and that nothing but queries has run in.
    watcher
        What renews a report as statements go on; None where there is none.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        database: str,
        checkpoints: AnyPath,
        read_only: bool,
        last: LastResult,
        moved: Mapping[str, str],
        cluster: str | None,
        tracker: "Tracker | None",
    ):
        self._duckdb = connection
        self._database = database
        self._checkpoints = checkpoints
        self._read_only = read_only
        self._last = last
        self._moved = moved
        self._cluster = cluster
        self._tracker = tracker
        self._memo = Memo()
        self._results: list[str] = []  # the tables with the rows of the last extension statements
        self._stop = Interruption()
        self.predictions = PredictionSession(connection, database, moved, self._stop)
        self._answered = ""  # the script that they answer
        self._answer: tuple[str, Any] | None = None  # the query over these tables that its last statement is
        self.transaction_is_untouched = False
        self.watcher: Watcher | None = None

    def interrupt(self) -> None:
        """Stops the extension statement that another thread runs."""
        self._stop.interrupt()

    def stop(self) -> None:
        """Stops the extension statement that another thread runs, and waits until it has stored how it ended."""
        self._stop.end_other_threads(CLOSING_SECONDS)

    def execute(self, sql: Any, parameters: Any, caller: Caller) -> None:
        """Runs a text. The parameters are its last statement's."""
        if self._results:
            if sql == self._answered and self.answer_jupysql_again(caller):
                return
            self.forget_results()
        if isinstance(sql, str) and self.imports(sql):
            self.import_databases(sql, parameters, caller)
            return
        once_more = sql is self._last.sql
        script = None if once_more else self.read(sql)
        if script is not None:
            self.execute_script(script, parameters, caller, self._duckdb.execute)
            return
        self.run(caller, self._duckdb.execute, sql, parameters)
        if not once_more:
            may_run_alone = isinstance(sql, str) and not (_may_name_tables(sql) or _may_predict(sql))
            self._last.needs_no_scope = may_run_alone

    def run(self, caller: Caller, execute: Callable[..., Any], sql: Any, *parameters: Any) -> None:
        """Has DuckDB run statements. Those that it cannot parse leave the last result open, as in DuckDB."""
        self.call(caller, execute, sql, *parameters)
        self._last.replace(sql)

    def call(self, caller: Caller, function: Callable[..., Any], sql: Any, *values: Any, **named: Any) -> Any:
        """Calls a function of DuckDB that runs statements, and returns what it does."""
        if self.transaction_is_untouched:
            self.transaction_is_untouched = self._only_queries(sql)
        if self._stop.is_set():
            self._stop.clear()
        may_predict = self.predictions.has_predicted or (isinstance(sql, str) and _may_predict(sql))
        try:
            with self.predictions.stopped_by_ctrl_c() if may_predict else nullcontext():
                return caller.run(function, sql, *values, **named)
        except duckdb.InvalidInputException as error:
            raise of_function(error) from None
        except duckdb.ParserException as error:
            raise _misspelt(sql) or error from None
        except RuntimeError:
            _check_unicode(sql)
            raise

    def imports(self, sql: str) -> bool:
        """Whether a text has an `IMPORT DATABASE` into the store."""
        return _may_import(sql) is not None and any(self._imported(sql))

    def _imported(self, sql: str) -> list[Path | None]:
        """What each statement of a text imports into the store; empty where the store is not the current database."""
        from modelstore.store.importing import imported_folder

        try:
            statements = self._duckdb.extract_statements(sql)
        except duckdb.Error:
            return []
        folders = [imported_folder(statement) for statement in statements]
        if not any(folders):
            return []
        [(current,)] = self._duckdb.execute("SELECT current_database()").fetchall()
        return folders if current == self._database else []

    def import_databases(self, sql: str, parameters: Any, caller: Caller) -> None:
        """Runs a text with an `IMPORT DATABASE` in it, statement by statement."""
        from modelstore.store.database import find_winners
        from modelstore.store.importing import import_database

        statements = self._duckdb.extract_statements(sql)
        for place, (statement, folder) in enumerate(zip(statements, self._imported(sql), strict=True), 1):
            if folder is not None:
                import_database(self._duckdb, self._database, folder)
                find_winners(self._duckdb, self._database, self._checkpoints, read_only=False)
                self._last.clear()
            else:
                values = (parameters or []) if place == len(statements) else []
                self.run(caller, self._duckdb.execute, statement.query, values)

    def read(self, sql: Any) -> "Script | None":
        """Reads a text that may hold extension statements; None for one that is DuckDB's.

        DuckDB's parser is asked before anything runs: a statement that fails in it aborts an open transaction, and
        those before it in a script would have run.
        """
        if not isinstance(sql, str) or statements.LANGUAGE.may_be_in.search(sql) is None:
            return None
        _check_unicode(sql)
        from modelstore.language.script import read_script

        self._stop.clear()
        with self._interruptible():  # a long text takes seconds
            return read_script(self._duckdb, sql)

    def check(self, sql: str) -> None:
        """Reads a script and runs nothing. Raises the error of the first statement that is wrong."""
        from modelstore.language.script import read_script

        script = read_script(self._duckdb, sql)
        if script is not None:
            script.check()

    def execute_script(self, script: "Script", parameters: Any, caller: Caller, last: Last) -> None:
        """Runs a text that DuckDB does not parse; ``last`` is what DuckDB does with the last of its statements."""
        if not script.is_extended:
            self.run(caller, last, script.sql)  # then its error is DuckDB's
            return
        script.check()
        self._answered = script.sql
        for statement in script.statements:
            is_last = statement is script.statements[-1]
            values = parameters if is_last else None
            execute = last if is_last else self._duckdb.execute
            if statement.embedded:
                self._execute_extended(statement, values, caller, execute)
            else:
                self.run(caller, execute, statement.text, values or [])

    def _execute_extended(
        self, statement: "ScriptStatement", parameters: Any, caller: Caller, execute: Last
    ) -> None:
        """Runs the extension statements in a statement, puts their rows in their place, gives DuckDB the rest."""
        import logging

        from modelstore.planner.context import StatementContext
        from modelstore.planner.dispatch import run
        from modelstore.store import Store

        context = StatementContext(
            store=Store(self._duckdb, self._memo, self._database, self._moved),
            checkpoints=self._checkpoints,
            read_only=self._read_only,
            cluster=self._cluster,
            sql=statement.sql,
            tokens=statement.tokens,
            caller=caller,
            parameters=_by_key(parameters),
            in_untouched_transaction=self.transaction_is_untouched,
        )
        logging.getLogger(__name__).info("runs %s", statement.text)
        self._stop.clear()
        self._last.clear()  # planning runs queries of its own
        try:
            with self._watched(), self._interruptible(), self._tracked():
                remaining = run(context, statement)
        finally:
            self._results += context.results.values()
            if self.transaction_is_untouched:
                self._begin_again()
        if remaining is None:  # after a statement without rows
            return
        try:
            self.run(caller, execute, *remaining)
        except duckdb.Error as error:
            raise context.as_written(error, statement.first, statement.end) from None
        self._answer = remaining if self._only_queries(remaining[0]) else None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """A block of our own work, during and after which the report that is watched is renewed."""
        if self.watcher is None:
            yield
            return
        try:
            with heard_by(self.watcher.on_event):
                yield
        finally:
            self.watcher.on_end()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """A block of our own work, which `interrupt` stops; whatever is raised in it is an error of PEP 249."""
        try:
            with forced_is_interrupted(), ctrl_c(), self._stop.working(), statement_of(self.predictions):
                yield
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            if isinstance(error, duckdb.Error):
                raise of_function(error) from None
            raise as_database_error(error) from error

    def _tracked(self) -> AbstractContextManager[None]:
        """A block whose events the tracker hears, if there is one."""
        if self._tracker is None:
            return nullcontext()
        return heard_by(self._tracker.statement())

    def _only_queries(self, sql: Any) -> bool:
        """Whether statements change nothing. Those that DuckDB cannot parse change nothing either."""
        try:
            statements = self._duckdb.extract_statements(sql)
        except duckdb.Error:
            return isinstance(sql, str)
        return all(statement.type == duckdb.StatementType.SELECT for statement in statements)

    def _begin_again(self) -> None:
        """Opens the client's transaction again where the statement has left it: the client will end one."""
        self.transaction_is_untouched = False
        with suppress(duckdb.TransactionException):  # an error has aborted it
            if not in_transaction(self._duckdb):
                self._duckdb.begin()
                self.transaction_is_untouched = True

    def forget_results(self) -> None:
        """Drops the tables with the rows of the last extension statements."""
        if not self._results:
            return
        unregister(self._duckdb, self._results)
        self._results.clear()
        self._answer = None

    @property
    def has_answer(self) -> bool:
        """Whether the rows of an extension statement are what is fetched from."""
        return self._answer is not None

    def answer_with(self, rows: "pa.Table") -> None:
        """Has these rows fetched, in place of those of the last extension statement."""
        name = self._results[-1]
        self._duckdb.register(name, rows)
        self._answer = (f"FROM {name}", None)
        self._duckdb.execute(f"FROM {name}")

    def answer_jupysql_again(self, caller: Caller) -> bool:
        """Gives JupySQL the last extension statement's rows once more; whether it is JupySQL that calls.

        To make a data frame of a result, it runs a statement that begins with SELECT a second time, and takes what
        it has not fetched of others. A statement that trains runs once.
        """
        if self._answer is None or caller.module != JUPYSQL:
            return False
        self._duckdb.execute(*self._answer)
        return True


def _misspelt(sql: Any) -> duckdb.ParserException | None:
    """The error for a text that one word's spelling keeps from being an extension statement; else None."""
    from modelstore.language.near_misses import misspelt

    return misspelt(sql) if isinstance(sql, str) else None


def _check_unicode(sql: Any) -> None:
    """Raises ``duckdb.InvalidInputException`` for a text that cannot be encoded: DuckDB says less about it."""
    try:
        if isinstance(sql, str):
            sql.encode()
    except UnicodeEncodeError as error:
        raise duckdb.InvalidInputException(
            f"Invalid Input Error: the statement is no text: {error}"
        ) from None


def _by_key(parameters: Any) -> dict[str, Any]:
    """Parameters by key: those of a sequence are numbered from 1."""
    if parameters is None:
        return {}
    if isinstance(parameters, Mapping):
        return {str(key): value for key, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str):
        return {str(number): value for number, value in enumerate(parameters, 1)}
    raise duckdb.InvalidInputException("parameters are a sequence, or a mapping from names to values")
