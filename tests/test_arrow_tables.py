"""Arrow tables that a connection knows for a while are forgotten whatever happens in between."""

import duckdb
import pyarrow as pa
import pytest

import modelstore
from modelstore.arrow_tables import registered

TABLES = {"numbers": pa.table({"number": range(100_000)})}


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def knows(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(connection.execute("FROM duckdb_views() WHERE view_name = ?", [name]).fetchall())


def test_they_are_known_within_the_block_alone(connection: duckdb.DuckDBPyConnection) -> None:
    with registered(connection, TABLES):
        assert connection.execute("SELECT max(number) FROM numbers").fetchall() == [(99_999,)]
    assert not knows(connection, "numbers")


def test_an_interruption_before_rows_are_fetched_passes_and_they_are_forgotten(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    def interrupted() -> None:
        connection.execute("FROM numbers")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), registered(connection, TABLES):
        interrupted()
    assert not knows(connection, "numbers")


def test_an_error_that_aborts_a_transaction_is_the_one_that_is_raised(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.begin()
    with pytest.raises(duckdb.ConversionException), registered(connection, TABLES):
        connection.execute("SELECT (number || 'x')::INT FROM numbers").fetchall()
    connection.rollback()
    assert not knows(connection, "numbers")


def test_what_is_wrong_around_a_statement_is_said_within_a_transaction_too(
    store: modelstore.Connection,
) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) "
        "SELECT m, d, ord(m) / ord(d) FROM (VALUES ('a'), ('b'), ('c')) t(m), (VALUES ('x'), ('y')) u(d)"
    )
    store.begin()
    with pytest.raises(duckdb.BinderException, match='"missing" not found'):
        store.execute("SELECT missing FROM (SIMILAR DATASETS TO x USING results)")
    store.rollback()
    assert store.execute("SELECT dataset FROM (SIMILAR DATASETS TO x USING results)").fetchall() == [("y",)]
