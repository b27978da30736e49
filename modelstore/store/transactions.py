"""Whether a transaction is open, which DuckDB does not tell."""

import duckdb


def in_transaction(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a transaction is open on a connection.

    Raises
    ------
    duckdb.TransactionException
        It is open, and an error has aborted it.
    """
    # Outside of one, each statement is a transaction of its own and has a number of its own. (Trying BEGIN instead
    # would abort the one that is open.)
    first, second = (connection.execute("SELECT system.main.txid_current()").fetchall() for _ in range(2))
    return first == second
