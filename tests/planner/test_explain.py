"""`EXPLAIN` and `DESCRIBE` of queries with extension statements: plans and columns, without running anything."""

import duckdb
import pytest

import modelstore

Store = modelstore.Connection
REPLAY = "WITH (executor = 'replay', recall = 3, epochs = 4)"


@pytest.fixture
def replayable(recorded: Store) -> Store:
    return recorded.execute("CLUSTER MODELS")


def selections(store: Store) -> int:
    row = store.execute("SELECT count(*) FROM selections").fetchone()
    assert row is not None
    return int(row[0])


def test_a_nested_plan_is_part_of_the_tree_and_is_not_run(replayable: Store) -> None:
    sql = (
        "EXPLAIN SELECT BEST 2 MODELS FOR d0 FROM (RECALL 4 MODELS FOR d0) WHERE recall_score > 0 "
        f"USING two_phase {REPLAY}"
    )
    plan = [row[0] for row in replayable.execute(sql).fetchall()]
    assert [line.strip(" └─").split(" · ")[0] for line in plan] == [
        "SELECT BEST 2 MODELS FOR d0",
        "fine selection",
        "coarse recall",
        "(RECALL 4 MODELS FOR d0)",
        "RECALL MODELS FOR d0",
        "coarse recall",
        "models on record",
    ]
    assert selections(replayable) == 0


def test_explain_over_duckdbs_query_shows_both_plans_and_runs_neither(replayable: Store) -> None:
    sql = (
        f"EXPLAIN WITH best AS (SELECT BEST 2 MODELS FOR d0 USING two_phase {REPLAY}) SELECT model FROM best "
        "UNION ALL SELECT model FROM (RECALL 3 MODELS FOR d0) ORDER BY model"
    )
    rows = replayable.execute(sql).fetchall()
    assert [column[0] for column in replayable.description or []] == ["explain_key", "explain_value"]
    assert [key for key, _ in rows] == ["modelstore_plan", "modelstore_plan", "physical_plan"]
    assert "fine selection" in rows[0][1]
    assert "RECALL MODELS FOR d0" in rows[1][1]
    assert "union" in rows[2][1].lower()
    assert selections(replayable) == 0


def test_explain_analyze_over_duckdbs_query_runs_the_extension_statement_once(replayable: Store) -> None:
    sql = f"EXPLAIN ANALYZE SELECT model FROM (SELECT BEST MODEL FOR d0 {REPLAY})"
    rows = dict(replayable.execute(sql).fetchall())
    assert "actual" in rows["modelstore_plan"]
    assert "analyzed_plan" in rows
    assert selections(replayable) == 1


def test_clauses_of_the_outer_query_are_explained_by_duckdb(replayable: Store) -> None:
    rows = dict(replayable.execute(f"EXPLAIN SELECT BEST MODEL FOR d0 {REPLAY} ORDER BY model").fetchall())
    assert "order by" in rows["physical_plan"].lower()


@pytest.mark.parametrize(
    "sql", ["DESCRIBE SELECT BEST MODEL FOR d0 {}", "DESCRIBE (SELECT BEST MODEL FOR d0 {})"]
)
def test_describe_gives_the_columns_and_runs_nothing(replayable: Store, sql: str) -> None:
    rows = replayable.execute(sql.format(REPLAY)).fetchall()
    assert [(row[0], row[1]) for row in rows][:3] == [
        ("rank", "BIGINT"),
        ("model", "VARCHAR"),
        ("recipe", "VARCHAR"),
    ]
    assert selections(replayable) == 0


def test_summarize_runs_the_query(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute("SUMMARIZE RECALL 3 MODELS FOR d0").fetchall()
    assert next(row for row in rows if row[0] == "rank")[2:4] == ("1", "3")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("EXPLAIN CREATE MODEL m FROM 'm'", "CREATE MODEL has no plan to explain"),
        ("EXPLAIN (FORMAT json) RECALL MODELS FOR d0", "expected ANALYZE"),
        ("PREPARE p AS RECALL MODELS FOR d0", "a prepared statement cannot hold this statement"),
    ],
)
def test_a_statement_that_cannot_be_explained_or_prepared_says_why(
    recorded: Store, sql: str, sentence: str
) -> None:
    with pytest.raises(duckdb.Error, match=sentence):
        recorded.execute(sql)
