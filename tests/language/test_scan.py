"""Which extension statements a text holds, where each ends, and how it is read."""

import pytest

from modelstore.errors import ExtensionSyntaxError
from modelstore.language import nodes
from modelstore.language.scanner import EmbeddedStatement, scan, split
from modelstore.language.statements import CREATE_DATASET


def found(sql: str) -> list[EmbeddedStatement]:
    return [one for _, end, tokens in split(sql) for one in scan(sql, end, tokens)]


def extensions_in(sql: str) -> list[str]:
    return [sql[one.start : one.end] for one in found(sql)]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE MODEL m FROM 'dir'",
        "create or replace dataset if not exists \"a b\" as select 1 as label with (text = 'x')",
        "DROP MODEL IF EXISTS 'owner/name'",
        "BENCHMARK MODELS WHERE parameters < 2e8 ON a, 'b/c' WITH (epochs = 3)",
        "CLUSTER MODELS USING kmeans WITH (clusters = 4)",
        "RECALL 5 MODELS FOR x USING leep, logme",
        "SELECT BEST MODEL FOR x",
        "COMPARE STRATEGIES ON ALL DATASETS",
        "COMPARE STRATEGIES two_phase, 'brute_force' ON a, \"b\" WITH (prior = 'mean')",
        "SUGGEST BENCHMARKS",
        "SUGGEST $k BENCHMARKS FOR MODEL 'a/b' WITH (recipe = 'lora')",
        "SELECT BEST ? MODELS FOR $target FROM (SELECT * FROM models) AS m USING two_phase",
        "EXPLAIN ANALYZE SELECT BEST 3 MODELS FOR x",
    ],
)
def test_an_extension_statement_is_found_whole(sql: str) -> None:
    assert extensions_in(sql) == [sql]


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ("SELECT * FROM (RECALL 3 MODELS FOR x) WHERE rank < 2", "RECALL 3 MODELS FOR x"),
        ("WITH t AS (SELECT BEST MODEL FOR x) SELECT * FROM t", "SELECT BEST MODEL FOR x"),
        ("CREATE TABLE t AS RECALL 3 MODELS FOR x", "RECALL 3 MODELS FOR x"),
        ("INSERT INTO t RECALL 3 MODELS FOR x ON CONFLICT DO NOTHING", "RECALL 3 MODELS FOR x"),
        ("INSERT INTO t (a, b) RECALL 3 MODELS FOR x", "RECALL 3 MODELS FOR x"),
        ("COPY (SELECT BEST MODEL FOR x) TO 'f.csv'", "SELECT BEST MODEL FOR x"),
        ("RECALL 3 MODELS FOR x ORDER BY model LIMIT 1", "RECALL 3 MODELS FOR x"),
        ("SELECT * FROM (COMPARE STRATEGIES ON a) ORDER BY regret", "COMPARE STRATEGIES ON a"),
        ("COPY (SUGGEST 3 BENCHMARKS) TO 'f.csv'", "SUGGEST 3 BENCHMARKS"),
        ("SELECT 1 UNION ALL RECALL 3 MODELS FOR x", "RECALL 3 MODELS FOR x"),
    ],
)
def test_an_extension_statement_ends_where_the_outer_query_goes_on(sql: str, clause: str) -> None:
    assert extensions_in(sql) == [clause]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'SELECT BEST MODEL FOR x'",
        "SELECT best FROM t -- SELECT BEST MODEL FOR x",
        "SELECT recall, models FROM t",
        "CREATE TABLE model (a INT)",
        "DROP TABLE dataset",
    ],
)
def test_sql_that_only_looks_like_an_extension_statement_is_not_found(sql: str) -> None:
    assert extensions_in(sql) == []


def test_the_users_own_sql_inside_a_clause_stays_as_it_was_written() -> None:
    relation = "(SELECT * FROM models WHERE card LIKE '%WITH (%' /* USING x */)"
    predicate = "a IS DISTINCT FROM 'WHERE' AND t > TIMESTAMP WITH TIME ZONE '2020-01-01' AND x.with IN (1)"
    [one] = found(
        f"SELECT BEST MODEL FOR x FROM {relation} WHERE {predicate} USING two_phase WITH (seed = 1)"
    )
    assert one.node.args["relation"].this == relation
    assert one.node.args["where"].this == predicate
    assert one.node.args["strategy"].this == "two_phase"


def test_a_datasets_query_may_hold_common_tables_of_its_own() -> None:
    [one] = found("CREATE DATASET d AS WITH t AS (SELECT 1) SELECT * FROM t WITH (label = 'y')")
    assert one.node.args["query"].this == "WITH t AS (SELECT 1) SELECT * FROM t"
    assert isinstance(one.node, nodes.Extension)
    assert one.node.statement is CREATE_DATASET


def test_question_marks_are_numbered_over_the_whole_statement() -> None:
    [one] = found("SELECT BEST ? MODELS FOR ? WHERE parameters < ? WITH (seed = ?)")
    assert [one.node.args["count"].this, one.node.args["target"].this] == ["1", "2"]
    assert one.node.args["options"][0].args["value"].this == "4"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT BEST MODEL FOR", "ends too early: expected the target dataset's name"),
        ("RECALL 5 MODLES FOR x", 'did you mean "MODELS"'),
        ("SELECT BEST MODEL FOR x USNG y", 'did you mean "USING"'),
        ("SELECT BEST MODEL FOR x WITH (recall 3)", "expected ="),
        ("SELECT BEST MODEL FOR x WITH (executor = replay)", "a text value is quoted: 'replay'"),
        ("SELECT BEST MODEL FOR x WITH (recall = 3", "ends too early"),
        ("BENCHMARK MODELS", "expected ON"),
        ("CREATE MODEL m", "expected FROM"),
        ("SELECT BEST MODEL FOR x FROM WHERE y", "expected a relation"),
        ("RECALL 1.2.3 MODELS FOR x", "expected a number"),
        ("SELECT BEST MODEL FOR E'\\U7fffffff'", "stands for no character"),
    ],
)
def test_an_error_says_what_was_expected_and_points_at_the_place(sql: str, message: str) -> None:
    with pytest.raises(ExtensionSyntaxError) as caught:
        found(sql)
    assert message in str(caught.value)
    assert str(caught.value).splitlines()[-1].strip("^ ") == ""


def test_the_caret_stands_under_the_word_on_its_own_line() -> None:
    with pytest.raises(ExtensionSyntaxError) as caught:
        found("SELECT 1;\nRECALL 5 MODLES FOR x")
    *_, line, carets = str(caught.value).splitlines()
    assert line == "LINE 2: RECALL 5 MODLES FOR x"
    assert line[carets.index("^") : carets.rindex("^") + 1] == "MODLES"
