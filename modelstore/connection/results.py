"""DuckDB's answers: it answers a statement without rows too, by one row of a column `Count` or `Success`."""

from collections.abc import Sequence

import duckdb

from modelstore.language.tokens import tokenize

# Statements that DuckDB calls queries, whatever it is that they run.
_ANY_RESULT = (duckdb.StatementType.CALL, duckdb.StatementType.EXECUTE, duckdb.StatementType.PRAGMA)


def may_be_no_rows(columns: Sequence[str]) -> bool:
    """Whether an answer of these columns may be to a statement without rows; a query may name its column so, too."""
    return len(columns) == 1 and columns[0] in ("Count", "Success")


def is_query(statement: duckdb.Statement, column: str) -> bool:
    """Whether a statement, which is answered by this column and has changed no rows, is a query."""
    if duckdb.ExpectedResultType.QUERY_RESULT not in statement.expected_result_type:
        return False
    if statement.type in _ANY_RESULT:  # as CHECKPOINT, or EXECUTE of a SET
        return column != "Success"
    return statement.type != duckdb.StatementType.CREATE


def gives_rows(statement: duckdb.Statement, column: str) -> bool:
    """Whether a statement, which is answered by this column, gives rows and no count of what it has changed."""
    changes = duckdb.ExpectedResultType.CHANGED_ROWS in statement.expected_result_type
    returns = any(token.is_word("RETURNING") for token in tokenize(statement.query))
    return is_query(statement, column) and (returns or not changes)
