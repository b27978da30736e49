"""What is wrong around an extension statement is said before it runs; errors show what the user wrote."""

from pathlib import Path

import duckdb
import pytest

import modelstore

Store = modelstore.Connection
BEST = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            f"SELECT modle FROM ({BEST})",
            r'"modle" not found.*\n.*\n\nLINE 1: SELECT modle FROM \(SELECT BEST',
        ),
        (
            f"SELECT model\nFROM nowhere, ({BEST})",
            r"nowhere does not exist[^$]*LINE 2: FROM nowhere, \(SELECT BEST",
        ),
        (f"WITH b AS ({BEST})\nSELECT b.nope FROM b", r'"nope"\n\nLINE 2: SELECT b.nope FROM b\n +\^$'),
        (f"SELECT * FROM ({BEST}) AS q JOIN models USING (nme)", "nme"),
        (f"SELECT no_such_function(model) FROM ({BEST})", "no_such_function"),
        (f"CREATE TABLE there AS {BEST}", "already exists"),
        (f"CREATE TABLE there (a, b, c, d, e, f, g, h, i) AS {BEST}", "already exists"),
        (f'CREATE TABLE main."there" AS {BEST}', "already exists"),
        (f"CREATE TABLE nowhere.new AS {BEST}", "nowhere does not exist"),
        (f"CREATE OR REPLACE TABLE view_there AS {BEST}", "view_there"),
        (f"INSERT INTO there {BEST}", "1 columns but 9 values"),
        (f"INSERT INTO there (a, b) {BEST}", "b"),
        (f"INSERT INTO nowhere {BEST}", "nowhere does not exist"),
        (f"COPY ({BEST}) TO '/nowhere/at/all.csv'", 'no folder "/nowhere/at"'),
        (f"COPY ({BEST}) TO '/nowhere/all.parquet' (FORMAT parquet)", 'no folder "/nowhere"'),
        ("SELECT BEST MODEL FOR d0 FROM (SELECT modl FROM (RECALL 3 MODELS FOR d0))", 'modl" not found'),
        (
            "SELECT BEST MODEL FOR d0 FROM (SELECT rank FROM (RECALL 3 MODELS FOR d0))",
            "a column name or model",
        ),
        ("SELECT BEST MODEL FOR d0 FROM (RECALL 3 MODELS FOR d0) WHERE modl = 'a1'", 'modl" not found'),
    ],
)
def test_an_error_around_a_statement_comes_before_it_runs(
    sql: str, message: str, recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.execute("CREATE TABLE there (a INTEGER); CREATE VIEW view_there AS SELECT 1")
    monkeypatch.setattr("modelstore.planner.recall.step.RecallStep.recall", _not_called, raising=False)
    with pytest.raises(duckdb.Error, match=message) as caught:
        recorded.execute(sql)
    assert "modelstore_result" not in str(caught.value)
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)
    assert recorded.execute("SELECT count(*) FROM there").fetchone() == (0,)


def _not_called(*_: object) -> None:
    raise AssertionError("it ran")


def test_the_file_of_a_parameter_is_looked_at_too(recorded: Store) -> None:
    with pytest.raises(duckdb.IOException, match="no folder"):
        recorded.execute(f"COPY ({BEST}) TO $file", {"file": "/nowhere/all.csv"})
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)


def test_what_is_right_runs_once(recorded: Store, tmp_path: Path) -> None:
    recorded.execute("CREATE TABLE there (a INTEGER)")
    statements = [
        f"CREATE TABLE new AS {BEST}",
        f"CREATE OR REPLACE TABLE new AS {BEST}",
        f"CREATE TEMP TABLE passing AS {BEST}",
        f"INSERT INTO new {BEST}",
        f"COPY ({BEST}) TO '{tmp_path}/best.csv'",
        f"COPY ({BEST}) TO '{tmp_path}/parts' (FORMAT csv, PARTITION_BY (model))",
        f"PIVOT ({BEST}) ON model USING count(*)",
        f"SUMMARIZE {BEST}",
        f"SELECT model::VARCHAR FROM ({BEST}) WHERE rank = 1",
        "SELECT BEST MODEL FOR d0 FROM (RECALL 3 MODELS FOR d0) WHERE recall_score > 0 "
        "WITH (executor = 'replay', epochs = 4)",
    ]
    for number, sql in enumerate(statements, 1):
        recorded.execute(sql)
        assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (number,), sql
    assert recorded.execute("SELECT count(*) FROM new").fetchone() == (2,)


def test_a_table_that_may_exist_and_does_needs_no_selection(recorded: Store) -> None:
    recorded.execute("CREATE TABLE there (a INTEGER)")
    recorded.execute(f"CREATE TABLE IF NOT EXISTS there AS {BEST}")
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)
    recorded.execute(f"CREATE TABLE IF NOT EXISTS new AS {BEST}")
    assert recorded.execute("SELECT count(*) FROM new").fetchone() == (1,)


def test_the_trial_leaves_nothing_in_an_open_transaction(recorded: Store) -> None:
    recorded.execute("BEGIN")
    recorded.execute(f"CREATE TABLE new AS {BEST}")
    recorded.execute("ROLLBACK")
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('new', 'modelstore_trial')"
    assert recorded.execute(tables).fetchone() == (0,)


def test_an_error_that_only_the_rows_show_is_in_the_users_words(recorded: Store) -> None:
    with pytest.raises(duckdb.ConversionException) as caught:
        recorded.execute(f"SELECT 1;\nSELECT rank,\n  model::INTEGER\nFROM ({BEST})")
    assert str(caught.value).endswith("LINE 3:   model::INTEGER\n               ^")


def test_a_python_selection_shows_no_names_of_ours(recorded: Store) -> None:
    for arguments in ({"dataset": 3}, {"dataset": "d0", "method": "best"}, {"dataset": "d0", "method": 3}):
        with pytest.raises(modelstore.Error) as caught:
            recorded.select_best_model(**arguments)  # type: ignore[arg-type]
        assert "modelstore_" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "BENCHMARK MODELS ON texts",
        "CLUSTER MODELS",
        "SELECT BEST MODEL FOR texts",
        "SELECT BEST MODEL FOR texts WITH (executor = 'replay', epochs = 4, recipe = 'r')",
        "RESUME SELECTION 1",
        "CREATE MODEL m FROM '/nowhere'",
        "CREATE DATASET d AS SELECT 'a' AS text, 0 AS label",
        "DROP MODEL bert",
        "DROP DATASET texts",
    ],
)
def test_a_read_only_store_says_so_before_anything_is_computed(
    sql: str, zoo: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.execute(
        "INSERT INTO benchmark_results (model, dataset, score) VALUES ('bert', 'texts', 1), ('albert', 'texts', 0)"
    )
    zoo.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, recipe) "
        "SELECT 'bert', 'texts', stage, 0.5, 0.5, 'r' FROM range(1, 5) AS r(stage)"
    )
    zoo.close()
    monkeypatch.setattr("modelstore.training.finetune.FineTuning.__init__", _not_called)
    monkeypatch.setattr("modelstore.planner.cluster.plan.ClusterPlan._measure_distances", _not_called)
    with (
        modelstore.connect(tmp_path / "zoo.db", read_only=True) as store,
        pytest.raises(modelstore.StoreError, match="open read-only: open it for writing"),
    ):
        store.execute(sql)


def test_a_replay_that_would_fail_again_does_not_speak_of_resume(recorded: Store) -> None:
    with pytest.raises(modelstore.Error) as caught:
        recorded.execute(
            "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, budget_epochs = 0.5)"
        )
    assert "RESUME" not in str(caught.value)
