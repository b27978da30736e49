"""The DB API: DuckDB's SQL stays DuckDB's, and extension statements stand among it."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import modelstore

Store = modelstore.Connection


def test_ordinary_sql_gives_what_duckdb_gives(store: Store) -> None:
    sql = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT ?, ? ORDER BY a"
    assert store.execute(sql, [2, "y"]).fetchall() == [(1, "x"), (2, "y")]
    assert [column[0] for column in store.description or []] == ["a", "b"]
    assert list(store.execute("FROM range(3)")) == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELCT 1",
        "SELECT * FROM nowhere",
        "SELECT 1; SELCT 2",
        "SELECT 1 +",
        "CREATE TABLE t (a INT",
        "SELECT 'open",
        "",
        ";;",
        "SELECT best model, 1",
    ],
)
def test_an_error_in_ordinary_sql_is_duckdbs_own(store: Store, sql: str) -> None:
    with duckdb.connect() as plain:
        try:
            plain.execute(sql)
            expected = None
        except duckdb.Error as error:
            expected = (type(error), str(error).split("\n")[0])
    try:
        store.execute(sql)
        found = None
    except duckdb.Error as error:
        found = (type(error), str(error).split("\n")[0])
    assert found == expected


def test_what_duckdb_parses_is_duckdbs(store: Store) -> None:
    store.execute("CREATE TABLE recall AS SELECT 1 AS models; CREATE TABLE suggest AS SELECT 2 AS x")
    assert store.execute("SELECT models FROM recall").fetchall() == [(1,)]
    assert store.execute("FROM (suggest benchmarks)").fetchall() == [(2,)]
    assert store.execute("SELECT x best FROM suggest").fetchall() == [(2,)]


def test_a_script_mixes_both_and_the_last_statements_rows_are_fetched(recorded: Store) -> None:
    recorded.execute(
        """
        CREATE TABLE before AS SELECT ';' AS semicolon; -- CLUSTER MODELS
        CLUSTER MODELS;
        SELECT count(*) FROM model_clusters
        """
    )
    assert recorded.fetchall() == [(8,)]


def test_nothing_runs_when_a_statement_of_a_script_cannot_be_read(recorded: Store) -> None:
    with pytest.raises(modelstore.ProgrammingError) as caught:
        recorded.execute("CREATE TABLE t (a INT);\nCLUSTER MODELS;\nSELCT 1")
    assert "LINE 3" in str(caught.value)
    with pytest.raises(modelstore.ExtensionSyntaxError):
        recorded.execute("CREATE TABLE t (a INT); CLUSTER MODELS USNG kmeans")
    assert recorded.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'").fetchone() == (0,)


def test_no_extension_statement_runs_where_the_query_around_it_cannot_be_read(recorded: Store) -> None:
    best = "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4)"
    with pytest.raises(duckdb.ParserException) as caught:
        recorded.execute(f"SELECT 1;\nSELECT * FROM ({best}) WHERE rank = = 1")
    assert "LINE 2" in str(caught.value)
    assert "modelstore_result" not in str(caught.value)
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)
    with pytest.raises(modelstore.ExtensionSyntaxError, match=r'"ELECT" .did you mean "SELECT"'):
        recorded.execute("ELECT BEST MODEL FOR d0 FROM (RECALL 3 MODELS FOR d0)")


def test_recall_stands_wherever_a_query_may(recorded: Store, tmp_path: Path) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute("CREATE TABLE recalled AS RECALL 3 MODELS FOR d0")
    recorded.execute("INSERT INTO recalled RECALL 1 MODELS FOR d0")
    recorded.execute(f"COPY (RECALL 2 MODELS FOR d0) TO '{tmp_path}/out.csv'")
    assert recorded.execute("SELECT count(*) FROM recalled").fetchone() == (4,)
    assert recorded.execute(f"SELECT count(*) FROM '{tmp_path}/out.csv'").fetchone() == (2,)
    rows = recorded.execute(
        "WITH r AS (RECALL 3 MODELS FOR d0) SELECT r.rank FROM r JOIN recalled USING (model) ORDER BY 1"
    ).fetchall()
    assert rows == [(1,), (1,), (2,), (3,)]


def test_parameters_fill_an_extension_statement_and_the_query_around_it_in_order(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    sql = "SELECT ?, model FROM (RECALL ? MODELS FOR ? WHERE name <> ?) WHERE rank <= ? ORDER BY rank"
    rows = recorded.execute(sql, ["x", 5, "d0", "c1", 2]).fetchall()
    assert [row[0] for row in rows] == ["x", "x"]
    named = "SELECT $a, model FROM (RECALL $k MODELS FOR $d WHERE name <> $n) WHERE rank <= $m ORDER BY rank"
    assert recorded.execute(named, {"a": "x", "k": 5, "d": "d0", "n": "c1", "m": 2}).fetchall() == rows


def test_an_extension_statement_stands_in_the_from_of_another(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT model, 'd1', proxy, score FROM proxy_scores"
    )
    [(winner,)] = recorded.execute(
        "SELECT model FROM (SELECT BEST ? MODEL FOR ? FROM (SELECT * FROM (RECALL ? MODELS FOR d0) WHERE rank > ?) "
        "WHERE model NOT IN (SELECT model FROM (RECALL 1 MODELS FOR d1 WHERE name = 'c1')) "
        "USING brute_force WITH (executor = 'replay', epochs = 4)) WHERE rank = ?",
        [1, "d0", 5, 1, 1],
    ).fetchall()
    rows = recorded.execute("SELECT model FROM (RECALL 5 MODELS FOR d0) WHERE rank > 1").fetchall()
    recalled = [model for (model,) in rows]
    assert winner in set(recalled) - {"c1"}
    logged = recorded.execute("SELECT DISTINCT model FROM selection_stages").fetchall()
    assert {model for (model,) in logged} == set(recalled) - {"c1"}
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (1,)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH few AS (SELECT 'a1' AS name UNION SELECT 'b1') {best}",
        "WITH all_of (name) AS (SELECT DISTINCT model FROM benchmark_results), "
        "few AS MATERIALIZED (SELECT * FROM all_of WHERE name IN ('a1', 'b1')) SELECT model FROM ({best})",
        "SELECT * FROM (WITH few AS (FROM (VALUES ('a1'), ('b1')) t(model)), best AS ({best}) FROM best)",
        "CREATE TABLE kept AS WITH few AS (RECALL 8 MODELS FOR d0 WHERE name IN ('a1', 'b1')) {best}",
    ],
)
def test_an_extension_statement_sees_the_common_tables_around_it(recorded: Store, sql: str) -> None:
    best = "SELECT BEST MODEL FOR d0 FROM few USING brute_force WITH (executor = 'replay', epochs = 4)"
    recorded.execute("CLUSTER MODELS")
    recorded.execute(sql.format(best=best))
    logged = recorded.execute("SELECT DISTINCT model FROM selection_stages ORDER BY 1").fetchall()
    assert logged == [("a1",), ("b1",)]


def test_set_operations_and_more_than_one_in_a_statement(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute(
        "RECALL 1 MODELS FOR d0 UNION ALL RECALL 2 MODELS FOR d0 "
        "UNION ALL (SELECT * FROM (RECALL 3 MODELS FOR d0)) ORDER BY rank LIMIT 5"
    ).fetchall()
    assert [row[0] for row in rows] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("head", ["CREATE VIEW v AS", "CREATE OR REPLACE TEMP MACRO m() AS TABLE"])
def test_a_view_or_macro_of_an_extension_statement_is_refused(recorded: Store, head: str) -> None:
    with pytest.raises(modelstore.ExtensionSyntaxError, match="keep its rows with CREATE TABLE"):
        recorded.execute(f"{head} RECALL 3 MODELS FOR d0")


def test_a_statement_without_rows_has_no_description(store: Store) -> None:
    store.execute("CREATE DATASET d AS SELECT 'a' || i AS text, i % 2 AS label FROM range(50) t(i)")
    assert store.description is None


def test_an_error_leaves_the_connection_usable(recorded: Store) -> None:
    for sql in (
        "CLUSTER MODELS WITH (threshold = -1)",
        "RECALL 3 MODELS FOR nowhere",
        "SELECT * FROM nowhere",
    ):
        with pytest.raises(duckdb.Error):
            recorded.execute(sql)
    assert recorded.execute("SELECT count(*) FROM benchmark_results").fetchone() == (55,)


def test_catalog_statements_obey_a_rollback(store: Store) -> None:
    store.execute("BEGIN")
    store.execute("CREATE DATASET d AS SELECT 'a' || i AS text, i % 2 AS label FROM range(50) t(i)")
    assert store.execute("SELECT count(*) FROM datasets").fetchall() == [(1,)]
    store.execute("ROLLBACK")
    assert store.execute("SELECT count(*) FROM datasets").fetchall() == [(0,)]


def test_a_missing_parameter_is_named(recorded: Store) -> None:
    with pytest.raises(modelstore.Error, match='no value was given for the parameter "target"'):
        recorded.execute("RECALL 3 MODELS FOR $target")


def test_duckdbs_own_fetches_are_there(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    columns = recorded.execute("RECALL 3 MODELS FOR d0").fetchnumpy()
    assert columns["rank"].tolist() == [1, 2, 3]


def test_rows_come_as_a_polars_frame(recorded: Store) -> None:
    pytest.importorskip("polars")
    recorded.execute("CLUSTER MODELS")
    frame = recorded.execute("RECALL 3 MODELS FOR d0").pl()
    assert frame["rank"].to_list() == [1, 2, 3]
    assert recorded.execute("SELECT 1 AS a, 'x' AS b").pl().rows() == [(1, "x")]
    assert recorded.cursor().execute("SELECT 2 AS a").pl().rows() == [(2,)]


def test_without_polars_the_error_says_what_to_install(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="pip install polars"):
        store.execute("SELECT 1 AS a").pl()


def test_a_relation_holds_the_rows_of_an_extension_statement(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    relation = recorded.sql("RECALL $k MODELS FOR d0", params={"k": 3})
    assert relation is not None
    recorded.execute("SELECT 1").fetchall()  # which forgets the rows of what was executed before
    assert relation.filter("rank <= 2").aggregate("count(*)").fetchall() == [(2,)]
    assert recorded.sql("DROP MODEL IF EXISTS nobody", alias="x").fetchall() == []
    assert recorded.execute("FROM duckdb_views() WHERE view_name LIKE 'modelstore_%'").fetchall() == []


def test_select_best_model_is_the_statement(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    options = {"executor": "replay", "epochs": 4}
    best = recorded.select_best_model("d0", where="name <> 'a1'", recall=3, **options)
    row = recorded.execute(
        "SELECT BEST MODEL FOR d0 WHERE name <> 'a1' WITH (recall = 3, executor = 'replay', epochs = 4)"
    ).fetchone()
    assert row is not None
    assert (best.model, best.recipe, best.validation, best.test, best.epochs) == row[1:6]
    with pytest.raises(modelstore.ModelError, match="was a replay, which trains nothing"):
        best.load()
    with pytest.raises(modelstore.OptionError, match='did you mean "recall"'):
        recorded.select_best_model("d0", recal=3)


def test_the_store_serves_while_another_database_is_the_current_one(recorded: Store) -> None:
    ranked = recorded.execute("RECALL MODELS FOR d0").fetchall()
    recorded.execute("ATTACH ':memory:' AS other; USE other")
    assert recorded.execute("RECALL MODELS FOR d0").fetchall() == ranked


def test_a_store_that_is_detached_is_named(recorded: Store) -> None:
    recorded.execute("ATTACH ':memory:' AS other; USE other; DETACH zoo")
    with pytest.raises(modelstore.StoreError, match=r'the store\'s database "zoo" is detached'):
        recorded.execute("RECALL MODELS FOR d0")


def test_interrupt_stops_a_query_and_leaves_the_connection_usable(store: Store) -> None:
    import threading

    timer = threading.Timer(0.2, store.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        store.execute("SELECT count(*) FROM range(10000000000) a, range(100000) b").fetchall()
    assert store.execute("SELECT 1").fetchall() == [(1,)]


def test_cursors_of_many_threads_run_extension_statements(recorded: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    recorded.execute("CLUSTER MODELS")

    def recall(k: int) -> int:
        with recorded.cursor() as cursor:
            sql = "SELECT count(*) FROM (RECALL ? MODELS FOR d0)"
            return sum(cursor.execute(sql, [k]).fetchall()[0][0] for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(recall, [1, 2, 3, 4] * 4)) == [5, 10, 15, 20] * 4


def test_importing_is_light() -> None:
    heavy = ("torch", "transformers", "sklearn", "sqlglot", "numpy", "pyarrow")
    code = f"import modelstore, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_importing_and_connecting_leave_the_environment_as_it_was() -> None:
    code = (
        "import os; before = dict(os.environ); import modelstore; modelstore.connect(); "
        "print(os.environ == before)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("True", "")


def test_programs_read_what_happens_from_the_log(recorded: Store, caplog: pytest.LogCaptureFixture) -> None:
    statement = "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4)"
    with caplog.at_level("INFO", logger="modelstore"):
        recorded.execute(statement)
    assert ("modelstore.connection.script_runner", f"runs {statement}") in [
        (record.name, record.message) for record in caplog.records
    ]
    assert any(record.name == "modelstore.progress" for record in caplog.records)


def test_nothing_is_printed_when_a_program_ends_with_a_connection_open() -> None:
    code = "import modelstore; c = modelstore.connect(); print(c.execute('SELECT 1').fetchall())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("[(1,)]", "")


def test_the_best_model_is_selected_from_a_variable_of_the_caller(recorded: modelstore.Connection) -> None:
    few = pa.table({"name": ["a1", "b1"]})  # noqa: F841 - read by the statement
    best = recorded.select_best_model("d0", models="few", method="brute_force", executor="replay", epochs=4)
    assert best.model in ("a1", "b1")
