"""The rows of a connection's last statement, as Python, pandas, Polars or Arrow takes them."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import duckdb

from modelstore.caller import Caller
from modelstore.connection.last_result import LastResult, gives_rows
from modelstore.connection.script_runner import ScriptRunner
from modelstore.errors import of_function


class Rows:
    """What a `modelstore.Connection` gives of the last statement that it has run."""

    arraysize = 1  # rows that `fetchmany` gives unless it is told how many

    _duckdb: duckdb.DuckDBPyConnection
    _last: LastResult
    _runner: ScriptRunner

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The last statement's columns; None where it has no rows to fetch."""
        return self._duckdb.description if self._last.has_rows or self._last.find_rows() else None

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None after the last. Raises an ``Error`` where there are no rows to fetch."""
        if not self._last.has_rows:
            self._last.check_rows()
        return self._fetch(self._duckdb.fetchone)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next ``size`` rows (``arraysize`` by default), fewer at the end."""
        if not self._last.has_rows:
            self._last.check_rows()
        return self._fetch(self._duckdb.fetchmany, self.arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        if not self._last.has_rows:
            self._last.check_rows()
        return self._fetch(self._duckdb.fetchall)

    def df(self, *, date_as_object: bool = False) -> Any:
        """The rows that are left, as a ``pandas.DataFrame``."""
        self._runner.answer_jupysql_again(Caller(2))
        return self._fetch(self._duckdb.df, date_as_object=date_as_object)

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
        self._runner.answer_jupysql_again(Caller(2))
        return polars.from_arrow(self._arrow("to_arrow_table"))

    def fetch_arrow_table(self) -> Any:
        """The rows that are left as a ``pyarrow.Table``, for clients that know DuckDB before version 2, as ibis."""
        return self._arrow("to_arrow_table")

    def fetch_record_batch(self, rows_per_batch: int = 1_000_000) -> Any:
        """The rows that are left as a ``pyarrow.RecordBatchReader``: see `fetch_arrow_table`."""
        return self._arrow("to_arrow_reader", rows_per_batch)

    def _arrow(self, fetch: str, *arguments: int) -> Any:
        with warnings.catch_warnings():
            # DuckDB recommends a relation's method instead, but a statement has run already.
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
            return self._fetch(getattr(self._duckdb, fetch), *arguments)

    def _fetch(self, fetch: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Calls one of DuckDB's fetches, in which a query may still run."""
        predictions = self._runner.predictions
        try:
            if not predictions.has_predicted:
                return fetch(*arguments, **named)
            with predictions.stopped_by_ctrl_c():
                return fetch(*arguments, **named)
        except duckdb.InvalidInputException as error:
            raise of_function(error) from None

    def _repr_html_(self) -> str | None:
        """For notebooks: the rows that an extension statement has left to fetch, which stay; None for others."""
        if not self._runner.has_answer:
            return None
        try:
            rows = self.fetch_arrow_table()
            self._runner.answer_with(rows)
        except duckdb.Error:  # it is closed, say
            return None
        from modelstore import html

        return html.of_table(rows)

    def gives_rows(self, sql: str, columns: Sequence[str]) -> bool:
        """Whether a statement's answer, of these columns, is rows: DuckDB answers one that has none, too."""
        return gives_rows(self._duckdb, sql, columns)
