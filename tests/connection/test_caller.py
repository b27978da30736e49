"""Replacement scans: `FROM variable` finds the variables of the code that runs the statement, and no others."""

import duckdb
import pyarrow as pa
import pytest

import modelstore

Store = modelstore.Connection
GLOBAL = pa.table({"n": [7]})


def test_ordinary_sql_reads_local_and_global_variables(store: Store) -> None:
    mine = pa.table({"n": [1, 2]})
    assert store.execute("SELECT sum(n) FROM mine").fetchone() == (mine.num_rows + 1,)
    assert store.execute("FROM GLOBAL").fetchall() == [(7,)]
    relation = store.sql("SELECT max(n) FROM mine")
    assert relation is not None
    assert relation.fetchall() == [(2,)]
    assert list(store.cursor().execute("FROM mine")) == [(1,), (2,)]


def test_variables_of_the_package_are_not_found(store: Store) -> None:
    """Those of the frames between the caller and DuckDB would shadow a table, or be found in place of none."""
    for name in ("self", "sql", "parameters", "caller", "query", "frame", "statement"):
        with pytest.raises(duckdb.CatalogException, match="does not exist"):
            store.execute(f"FROM {name}")


def test_a_variable_that_is_no_table_is_named_with_its_line(store: Store) -> None:
    number = 3  # noqa: F841
    errors = []
    for connection in (duckdb.connect(), store):
        with pytest.raises(duckdb.InvalidInputException) as raised:
            connection.execute("FROM number")
        errors.append(str(raised.value))
    assert errors[0] == errors[1]
    assert __file__ in errors[0]


def test_extension_statements_read_variables_too(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    mine = pa.table({"name": ["a1", "b1"], "weight": [1.0, 2.0]})
    rows = recorded.execute("RECALL MODELS FOR d0 FROM mine WHERE weight > 1").fetchall()
    assert [row[1] for row in rows] == ["b1"]
    rows = recorded.execute("SELECT weight FROM mine JOIN (RECALL 1 MODELS FOR d0 FROM mine) ON name = model")
    assert len(rows.fetchall()) == 1
    texts = pa.table({"text": [f"text {i}" for i in range(40)], "label": ["x", "y"] * 20})
    recorded.execute("CREATE DATASET texts AS SELECT * FROM texts")
    assert recorded.execute(
        "SELECT sum(train_rows + validation_rows + test_rows) FROM datasets"
    ).fetchone() == (texts.num_rows,)
    assert mine.num_rows == 2
