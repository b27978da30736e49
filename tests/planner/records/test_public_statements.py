"""`IMPORT RECORDS` and `SHOW RECORDS`: public results, each under a recipe of its own."""

from pathlib import Path

import duckdb
import pytest

import modelstore
from modelstore.public import NAMES, RECORDS

Store = modelstore.Connection
COUNTS = "SELECT recipe, count(*) FROM benchmark_results GROUP BY ALL ORDER BY ALL"


def shown(store: Store) -> dict[str, int]:
    rows = store.execute("SHOW RECORDS").fetch_arrow_table().to_pylist()
    return {row["name"]: row["imported"] for row in rows}


def test_records_are_listed_with_what_they_are_and_what_of_them_is_here(store: Store) -> None:
    assert shown(store) == dict.fromkeys(NAMES, 0)
    store.execute("IMPORT RECORDS 'paper_cv'")
    assert shown(store) == dict.fromkeys(NAMES, 0) | {"paper_cv": 180}
    [row] = [row for row in store.execute("show records").fetchall() if row[0] == "paper_cv"]
    assert row[2:7] == (30, 6, 180, 180, "2023")


@pytest.mark.parametrize(
    "named", ["ALL", "euroeval, paper_nlp, paper_cv", "'EUROEVAL', PAPER_NLP, \"paper_cv\""]
)
def test_all_records_are_imported(store: Store, named: str) -> None:
    rows = store.execute(f"IMPORT RECORDS {named}").fetchall()
    assert rows == [(name, one.results, one.results) for name, one in RECORDS.items()]
    assert store.execute(COUNTS).fetchall() == sorted((name, one.results) for name, one in RECORDS.items())


def test_a_name_may_be_a_parameter(store: Store) -> None:
    assert store.execute("IMPORT RECORDS ?", ["paper_cv"]).fetchall() == [("paper_cv", 180, 180)]


def test_importing_again_changes_nothing_and_says_so(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.execute("IMPORT RECORDS paper_nlp")
    before = store.execute("FROM benchmark_results").fetchall()
    with caplog.at_level("INFO"):
        assert store.execute("IMPORT RECORDS paper_nlp").fetchall() == [("paper_nlp", 819, 0)]
    assert "the results of paper_nlp are in the store already: nothing has changed" in caplog.messages
    assert store.execute("FROM benchmark_results").fetchall() == before


def test_what_was_deleted_comes_again(store: Store) -> None:
    store.execute("IMPORT RECORDS paper_cv; DELETE FROM benchmark_results WHERE dataset = 'mnist'")
    assert store.execute("IMPORT RECORDS paper_cv").fetchall() == [("paper_cv", 180, 30)]


def test_results_of_the_user_stay_apart(recorded: Store) -> None:
    before = recorded.execute("FROM performance_matrix WHERE recipe = 'default' ORDER BY ALL").fetchall()
    clusters = recorded.execute("CLUSTER MODELS").fetchall()
    recorded.execute("IMPORT RECORDS ALL")
    after = recorded.execute("FROM performance_matrix WHERE recipe = 'default' ORDER BY ALL").fetchall()
    assert after == before
    assert recorded.execute("CLUSTER MODELS").fetchall() == clusters
    assert recorded.execute("SELECT count(*) FROM models").fetchall() == [(0,)]


def test_a_recipe_of_their_name_with_other_results_is_left_alone(store: Store) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('mine', 'd', 0.5, 'paper_cv')"
    )
    with pytest.raises(
        modelstore.StoreError, match="1 result of it is none of them: give what is yours another"
    ):
        store.execute("IMPORT RECORDS ALL")
    assert store.execute(COUNTS).fetchall() == [("paper_cv", 1)]


def test_an_import_is_a_part_of_a_transaction(store: Store) -> None:
    store.execute("BEGIN; IMPORT RECORDS paper_cv")
    assert shown(store)["paper_cv"] == 180
    store.execute("ROLLBACK")
    assert shown(store)["paper_cv"] == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "IMPORT RECORDS euroval",
            r'unknown records "euroval" \(did you mean "euroeval"\?\): the public records are',
        ),
        ("IMPORT RECORDS", "expected the name of public records, or ALL"),
        ("IMPORT RECROD euroeval", r'did you mean "RECORDS"\?'),
        ("IMPORT RECORDS euroeval WITH (seed = 1)", 'syntax error at or near "WITH"'),
        ("SELECT * FROM (IMPORT RECORDS euroeval)", "IMPORT RECORDS is a statement by itself"),
    ],
)
def test_what_is_wrong_is_said(store: Store, statement: str, message: str) -> None:
    with pytest.raises(duckdb.Error, match=message):
        store.execute(statement)


def test_a_file_that_is_open_for_reading_shows_records_and_imports_none(tmp_path: Path) -> None:
    modelstore.connect(tmp_path / "zoo.db").close()
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as store:
        assert shown(store) == dict.fromkeys(NAMES, 0)
        with pytest.raises(modelstore.StoreError, match="IMPORT RECORDS stores what it does"):
            store.execute("IMPORT RECORDS ALL")


def test_the_files_of_the_package_are_read_where_external_access_is_disabled(store: Store) -> None:
    store.execute("SET enable_external_access = false")
    assert store.execute("IMPORT RECORDS paper_cv").fetchall() == [("paper_cv", 180, 180)]


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE records (i INTEGER)",
        "CREATE VIEW Records AS SELECT 1::INTEGER AS i",
        "CREATE TEMP TABLE records (i INTEGER)",
    ],
)
def test_show_of_a_table_called_records_is_duckdb_s(store: Store, made: str) -> None:
    described = store.execute(f"{made}; SHOW RECORDS").fetchall()
    assert described == [("i", "INTEGER", "YES", None, None, None)]
    assert store.execute("SHOW RECORDS").fetchall() == described
    assert store.execute('SHOW "records"').fetchall() == described
    assert store.execute("DESCRIBE records").fetchall() == described


def test_a_table_of_another_schema_is_not_meant(store: Store) -> None:
    store.execute("CREATE SCHEMA s; CREATE TABLE s.records (i INTEGER)")
    assert shown(store) == dict.fromkeys(NAMES, 0)


def test_other_statements_of_duckdb_s_stay_its_own(store: Store, tmp_path: Path) -> None:
    store.execute("CREATE TABLE t (records INTEGER)")
    assert ("t",) in store.execute("SHOW TABLES").fetchall()
    assert store.execute("SHOW t").fetchall() == [("records", "INTEGER", "YES", None, None, None)]
    assert store.execute("SELECT count(records) FROM t").fetchall() == [(0,)]
    with pytest.raises(duckdb.CatalogException, match="Table with name records does not exist"):
        store.execute('SHOW "records"')
    store.execute(f"EXPORT DATABASE '{tmp_path}/export'")
    with modelstore.connect(tmp_path / "other.db") as other:
        other.execute(f"IMPORT DATABASE '{tmp_path}/export'")
        assert other.execute("SHOW RECORDS; SHOW t").fetchall() == [
            ("records", "INTEGER", "YES", None, None, None)
        ]


def test_the_rows_of_a_script_s_last_statement_are_fetched(store: Store) -> None:
    rows = store.execute("SHOW TABLES; IMPORT RECORDS paper_cv; /* what */ SHOW -- all\n RECORDS;").fetchall()
    assert [row[0] for row in rows] == list(NAMES)
    assert store.sql("SHOW RECORDS").fetchall() == rows
    assert store.description is not None
