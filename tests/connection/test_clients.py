"""Clients over the connection: each runs a statement once, sees its rows, and undoes what it did not commit.

Those that are not installed are skipped; what they expect of a connection is tested without them as well.
"""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import modelstore
from modelstore.caller import JUPYSQL, SQLALCHEMY

Store = modelstore.Connection
SELECT = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 2)"
STATEMENTS = [SELECT, "CLUSTER MODELS", "SUGGEST 3 BENCHMARKS", "RECALL 2 MODELS FOR d0"]


@pytest.fixture
def runs(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The extension statements that have run."""
    texts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("modelstore.connection.script_runner")
    with caplog.at_level(logging.INFO, logger.name):
        logger.addHandler(handler)
        yield texts
        logger.removeHandler(handler)


def in_module(name: str, expression: str, **values: Any) -> Any:
    """What an expression gives in a module of another package."""
    return eval(expression, {"__name__": name, **values})


# --- without the packages


def test_rows_of_an_extension_statement_outlast_the_commit_of_a_client(
    recorded: Store, runs: list[str]
) -> None:
    for statement in STATEMENTS[1:]:
        expected = recorded.execute(statement).fetchall()
        recorded.begin()
        recorded.execute(statement)
        columns = recorded.description
        first = recorded.fetchone()
        recorded.commit()
        assert [first, *recorded.fetchall()] == expected
        assert recorded.description == columns
    assert len(runs) == 2 * len(STATEMENTS[1:])


def test_jupysql_gets_a_frame_of_a_statement_that_ran_once(recorded: Store, runs: list[str]) -> None:
    for statement in STATEMENTS:
        runs.clear()
        rows = len(recorded.execute(statement).fetchmany(2))
        if statement.startswith("SELECT"):
            in_module(JUPYSQL, "con.execute(sql)", con=recorded, sql=statement)
        assert len(in_module(JUPYSQL, "con.df()", con=recorded)) >= rows
        assert len(runs) == 1


def test_others_run_a_statement_as_often_as_they_say(recorded: Store, runs: list[str]) -> None:
    for _ in range(2):
        recorded.execute(SELECT).fetchmany(2)
        assert len(recorded.df()) == 0
    assert len(runs) == 2
    in_module(JUPYSQL, "con.execute(sql)", con=recorded, sql="CLUSTER MODELS")
    assert len(runs) == 3


def test_jupysql_does_not_store_twice_what_it_asks_for_twice(recorded: Store) -> None:
    recorded.execute("CREATE TABLE kept (dataset TEXT)")
    sql = "INSERT INTO kept SELECT dataset FROM (SUGGEST 3 BENCHMARKS) RETURNING *"
    assert len(recorded.execute(sql).fetchall()) == 3
    in_module(JUPYSQL, "con.df()", con=recorded)
    assert recorded.execute("SELECT count(*) FROM kept").fetchone() == (3,)


def test_cursors_of_sqlalchemy_work_in_the_transaction_of_their_connection(store: Store) -> None:
    store.execute("CREATE TABLE t (a INT)")
    cursor = in_module(SQLALCHEMY, "con.cursor()", con=store)  # made before the transaction, as it does
    store.begin()
    cursor.execute("INSERT INTO t VALUES (1)")
    cursor.close()
    assert store.cursor().execute("FROM t").fetchall() == []
    store.rollback()
    assert store.execute("FROM t").fetchall() == []
    assert cursor.connection.notices == []


def test_rollback_ends_a_transaction_that_an_error_has_aborted(store: Store) -> None:
    for begin in (store.begin, lambda: store.execute("BEGIN")):
        begin()
        with pytest.raises(modelstore.Error):
            store.execute("SELECT error('no')")
        store.rollback()
        assert store.execute("SELECT 1").fetchall() == [(1,)]


def test_arrow_comes_by_the_names_that_duckdb_had(recorded: Store) -> None:
    rows = recorded.execute("SUGGEST 3 BENCHMARKS").fetch_arrow_table()
    assert rows.num_rows == 3
    batches = list(recorded.execute("FROM range(5000)").fetch_record_batch(rows_per_batch=2048))
    assert sum(batch.num_rows for batch in batches) == 5000


# --- with them


@pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy")
def test_pandas_reads_what_a_statement_returns(recorded: Store, runs: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    for statement in STATEMENTS:
        runs.clear()
        assert len(pandas.read_sql(statement, recorded)) > 0
        assert len(runs) == 1
    frame = pandas.read_sql("SELECT ? AS a, * FROM (SUGGEST 2 BENCHMARKS)", recorded, params=[4])
    assert list(frame["a"]) == [4, 4]


def test_polars_reads_what_a_statement_returns(recorded: Store, runs: list[str]) -> None:
    polars = pytest.importorskip("polars")
    for statement in STATEMENTS:
        runs.clear()
        assert polars.read_database(statement, recorded).height > 0
        assert len(runs) == 1


def test_ibis_reads_tables_and_statements(recorded: Store, runs: list[str]) -> None:
    ibis = pytest.importorskip("ibis")
    pytest.importorskip("pyarrow_hotfix")
    backend = ibis.duckdb.from_connection(recorded)
    assert backend.table("benchmark_results").count().to_pyarrow().as_py() == 55
    assert backend.raw_sql("SUGGEST 3 BENCHMARKS").fetch_arrow_table().num_rows == 3
    assert len(runs) == 1


@pytest.mark.parametrize("wrapped", [False, True])
def test_sqlalchemy_runs_statements_and_undoes_what_was_not_committed(
    recorded: Store, runs: list[str], wrapped: bool
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    duckdb_engine = pytest.importorskip("duckdb_engine")
    engine = sqlalchemy.create_engine(
        "duckdb://", creator=lambda: duckdb_engine.ConnectionWrapper(recorded) if wrapped else recorded
    )
    for statement in STATEMENTS:
        runs.clear()
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text(statement)).fetchall()
        assert len(runs) == 1
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a INT)"))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES (:a)"), {"a": 1})
    with engine.begin() as connection:
        assert connection.execute(sqlalchemy.text("FROM t")).fetchall() == []


def test_jupysql_runs_each_statement_once(recorded: Store, runs: list[str]) -> None:
    pytest.importorskip("sql.run.resultset", reason="JupySQL is not installed")
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.run_line_magic("load_ext", "sql")
    shell.user_ns["recorded"] = recorded
    shell.run_line_magic("sql", "recorded --alias zoo")
    for statement in STATEMENTS:
        runs.clear()
        assert len(shell.run_line_magic("sql", statement).DataFrame()) > 0
        assert len(runs) == 1
    shell.run_line_magic("sql", "CREATE TABLE t AS SELECT 1 AS a")
    assert recorded.execute("FROM t").fetchall() == [(1,)]
    shell.run_line_magic("sql", "--close zoo")
