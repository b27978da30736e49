"""What is known of the last result: DuckDB answers a statement without rows too, by a column `Count` or `Success`."""

from collections.abc import Sequence
from typing import Any

import duckdb

from modelstore.language.tokens import tokenize

# Statements that DuckDB calls queries, whatever it is that they run.
_ANY_RESULT = (duckdb.StatementType.CALL, duckdb.StatementType.EXECUTE, duckdb.StatementType.PRAGMA)


class LastResult:
    """The last statement that a DuckDB connection has run, and whether it has rows to fetch.

    Attributes
    ----------
    has_rows
        Whether it has; None until somebody asks.
    sql
        Its text, or a script that ends with it; None where there is none.
    needs_no_scope
        Whether it names no table, which could be a variable of the code that calls.
    """

    __slots__ = ("_duckdb", "has_rows", "needs_no_scope", "sql")

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._duckdb = connection
        self.clear()

    def clear(self) -> None:
        """Forgets the last result: there are no rows to fetch."""
        self.has_rows: bool | None = False
        self.sql: Any = None
        self.needs_no_scope = False

    def replace(self, sql: Any) -> None:
        """Takes note that DuckDB has run another statement or script."""
        self.has_rows, self.sql, self.needs_no_scope = None, sql, False

    def find_rows(self) -> bool:
        """Whether there are rows to fetch, found out when it is first asked."""
        if self.has_rows is None:
            described = self._duckdb.description
            self.has_rows = bool(described)
            if described and _may_be_no_rows([column[0] for column in described]):
                self.has_rows = self._duckdb.rowcount < 0 and _is_query(self._statement(), described[0][0])
        return self.has_rows

    def check_rows(self) -> None:
        """Raises ``duckdb.InvalidInputException`` where there are no rows to fetch."""
        if not self.find_rows() and self._duckdb.description is not None:
            # Clients look for the words "no results to fetch".
            raise duckdb.InvalidInputException(
                "the last statement has no results to fetch: execute a query first"
            )

    def _statement(self) -> duckdb.Statement:
        if isinstance(self.sql, str):
            return self._duckdb.extract_statements(self.sql)[-1]
        return self.sql


def gives_rows(connection: duckdb.DuckDBPyConnection, sql: str, columns: Sequence[str]) -> bool:
    """Whether the answer to a script's last statement, of these columns, is rows and no count of what it changed."""
    if not _may_be_no_rows(columns):
        return True
    from modelstore.language.script import last_statement

    statement = last_statement(connection, sql)
    changes = duckdb.ExpectedResultType.CHANGED_ROWS in statement.expected_result_type
    returns = any(token.is_word("RETURNING") for token in tokenize(statement.query))
    return _is_query(statement, columns[0]) and (returns or not changes)


def _may_be_no_rows(columns: Sequence[str]) -> bool:
    """Whether a statement without rows may have been answered so; the column of a query may have the name, too."""
    return len(columns) == 1 and columns[0] in ("Count", "Success")


def _is_query(statement: duckdb.Statement, column: str) -> bool:
    """Whether a statement that was answered by this column, and has changed no rows, is a query."""
    if duckdb.ExpectedResultType.QUERY_RESULT not in statement.expected_result_type:
        return False
    if statement.type in _ANY_RESULT:  # as CHECKPOINT, or EXECUTE of a SET
        return column != "Success"
    return statement.type != duckdb.StatementType.CREATE
