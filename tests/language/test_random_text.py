"""Whatever is typed gives rows or a ``duckdb.Error``, and a statement that fails leaves the store as it was.

More examples: ``HYPOTHESIS_MAX_EXAMPLES=20000 pytest tests/language/test_random_text.py``.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modelstore
from modelstore.language.scanner import scan, split
from modelstore.visible import visible

# The deadline is there for what would hang, not for what is slow. The store is put back where an example changed it.
thorough = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "100")),
    deadline=timedelta(seconds=60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Nothing here trains: what is selected is replayed from records, or has no model with weights.
EXTENSIONS = [
    "CREATE MODEL m FROM 'nowhere'",
    "CREATE OR REPLACE MODEL 'owner/name' FROM 'nowhere' WITH (seed = 1)",
    'CREATE MODEL IF NOT EXISTS "a b" FROM $uri',
    "CREATE DATASET d FROM 'nowhere.csv' WITH (text = 'review', label = 'stars')",
    "CREATE OR REPLACE DATASET IF NOT EXISTS d AS SELECT 'a' || i AS text, i % 2 AS label FROM range(9) t(i)",
    "CREATE DATASET d AS WITH t AS (SELECT 1 AS label) SELECT *, 'x' AS text FROM t WITH (metric = 'accuracy')",
    "DROP MODEL IF EXISTS nobody",
    "DROP MODEL a1",
    "RESUME SELECTION 1",
    "DROP DATASET IF EXISTS nothing",
    "BENCHMARK MODELS FROM (SELECT 'a1' AS name) WHERE name <> 'x' ON d0, 'd 1' WITH (epochs = 1)",
    "BENCHMARK MODELS ON ALL DATASETS",
    "CLUSTER MODELS",
    "CLUSTER MODELS FROM benchmark_results WHERE score > 0 USING kmeans WITH (clusters = 2, top_k = 3)",
    "CLUSTER MODELS USING hierarchical WITH (similarity = 'performance', threshold = 0.09, recipe = 'default')",
    "RECALL MODELS FOR d0",
    "RECALL 3 MODELS FOR d0 FROM (SELECT DISTINCT model FROM benchmark_results) WHERE model LIKE 'a%' USING leep",
    "RECALL ? MODELS FOR ? USING leep, logme WITH (recipe = 'default')",
    "EVALUATE MODELS a1, 'a 2' ON d0 WITH (split = 'test', confidence = 0.9)",
    "SELECT model FROM (EVALUATE MODEL ? ON d0) WHERE metric = 'accuracy'",
    "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)",
    "SELECT BEST 2 MODELS FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, register = false)",
    "SELECT BEST MODEL FOR d0 FROM models WHERE parameters < 200e6 AND architecture ILIKE 'bert%'",
    "SELECT BEST $n MODELS FOR $target USING two_phase WITH (executor = 'replay', recall = $k)",
    "EXPLAIN SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)",
    "EXPLAIN (ANALYZE) RECALL 3 MODELS FOR d0",
    "EXPLAIN ANALYZE CLUSTER MODELS",
    "SELECT * FROM (RECALL 3 MODELS FOR d0) WHERE rank < 2 ORDER BY model LIMIT 1",
    "WITH r AS (RECALL 3 MODELS FOR d0) SELECT r.rank FROM r JOIN models ON name = model",
    "WITH few AS (SELECT 'a1' AS name) SELECT BEST MODEL FOR d0 FROM few WITH (executor = 'replay', epochs = 4)",
    "CREATE TABLE kept AS RECALL 3 MODELS FOR d0",
    "INSERT INTO model_clusters (model, cluster) RECALL 1 MODELS FOR d0 ON CONFLICT DO NOTHING",
    "RECALL 1 MODELS FOR d0 UNION ALL RECALL 2 MODELS FOR d0",
    "CREATE VIEW v AS RECALL 3 MODELS FOR d0",
    "PREPARE p AS SELECT BEST MODEL FOR d0",
    "DESCRIBE RECALL 3 MODELS FOR d0",
    "SELECT BEST MODEL FOR d0 FROM (SELECT * FROM (RECALL 5 MODELS FOR d0) WHERE rank > 1) WHERE model NOT IN "
    "(SELECT model FROM (RECALL 1 MODELS FOR d0)) USING brute_force WITH (executor = 'replay', epochs = 4)",
]
DUCKDB = [
    "SELECT 1 AS best, 'x' AS recall",
    "WITH t AS (SELECT 1) SELECT * FROM t",
    "INSERT INTO model_clusters (model, cluster) VALUES ('x', 1) RETURNING *",
    "CREATE TABLE IF NOT EXISTS t (model INT)",
    "SELECT model, avg(score) FROM benchmark_results GROUP BY ALL HAVING count(*) > 2",
    "FROM performance_matrix LIMIT 2",
    "UPDATE benchmark_results SET score = 0 WHERE model = 'nobody'",
    "SELECT $$RECALL$$, E'\\'', \"model\", [1, {'a': 2}], lambda x: x FROM benchmark_results WHERE dataset = ?",
]
WORDS = [
    *[
        "SELECT",
        "BEST",
        "RECALL",
        "BENCHMARK",
        "CLUSTER",
        "CREATE",
        "DROP",
        "MODEL",
        "MODELS",
        "DATASET",
        "DATASETS",
        "FOR",
        "FROM",
        "WHERE",
        "USING",
        "WITH",
        "ON",
        "ALL",
        "AS",
    ],
    *[
        "OR",
        "REPLACE",
        "IF",
        "NOT",
        "EXISTS",
        "EXPLAIN",
        "ANALYZE",
        "IN",
        "UNION",
        "ORDER",
        "BY",
        "LIMIT",
        "INSERT",
        "INTO",
        "VALUES",
        "NULL",
        "TRUE",
        "PREPARE",
        "VIEW",
        "MACRO",
    ],
    *[
        "DESCRIBE",
        "RETURNING",
        "CASE",
        "END",
        "d0",
        "a1",
        "models",
        "name",
        "seed",
        "recall",
        "executor",
        "'replay'",
        "kmeans",
        "leep",
        "two_phase",
    ],
]
SIGNS = [
    *"()[]{},;.=-?$+*'\"\\/:@#~`|",
    *(
        "''",
        "$$",
        "$a$",
        "$1",
        "$n",
        "E'",
        "--",
        "/*",
        "*/",
        "\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\ufeff",
        "\x00",
        "ä",
        "🦆",
    ),
    *(
        "1",
        "0",
        "-1",
        "1.5",
        "1e400",
        "0x1F",
        "1.2.3",
        "1_0",
        "9" * 30,
        "'x'",
        '"x"',
        "x'00'",
        "E'\\U7fffffff'",
        "?1",
    ),
]
tokens = st.sampled_from([*WORDS, *SIGNS])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid statement, or two, with tokens removed, doubled, swapped, replaced or put in, or cut anywhere."""
    sql = draw(st.sampled_from([*EXTENSIONS, *DUCKDB]))
    if draw(st.integers(0, 5)) == 0:
        sql += ";\n" + draw(st.sampled_from([*EXTENSIONS, *DUCKDB]))
    if draw(st.booleans()):
        pieces = sql.split(" ")
        between = " "
    else:
        pieces, between = list(sql), ""
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(pieces) - 1)))
        change = draw(st.sampled_from(["delete", "double", "swap", "replace", "insert", "cut", "case"]))
        if change == "insert" or not pieces:
            pieces.insert(at, draw(tokens))
        elif change == "delete":
            del pieces[at]
        elif change == "double":
            pieces.insert(at, pieces[at])
        elif change == "swap":
            other = draw(st.integers(0, len(pieces) - 1))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif change == "replace":
            pieces[at] = draw(tokens)
        elif change == "cut":
            pieces = pieces[:at] if draw(st.booleans()) else pieces[at:]
        else:
            pieces[at] = pieces[at].swapcase()
    return between.join(pieces)


texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.binary(max_size=60).map(lambda data: data.decode("latin-1")),
)
after_the_beginning = st.sampled_from(
    ["RECALL ", "SELECT BEST MODEL FOR ", "RECALL MODELS FOR d0 WHERE ", "CLUSTER MODELS WITH ("]
)
values = st.none() | st.sampled_from(
    [None, 1, -1, 0, 2.5, float("nan"), float("inf"), 10**400, "d0", "", "\ud800", True, b"x"]
)
parameters = st.one_of(
    st.none(),
    st.lists(values, max_size=3),
    st.dictionaries(st.sampled_from(["n", "target", "k", "uri", "1"]), values, max_size=4),
)


class Fresh:
    """A store that is put back from a copy when an example has changed it."""

    def __init__(self, folder: Path, template: Path):
        self._path = folder / "zoo.db"
        self._template = template
        self._open()

    def _open(self) -> None:
        shutil.copy(self._template, self._path)
        self.connection: Any = modelstore.connect(self._path, config={"threads": 1})
        self.first = self.state()

    def state(self) -> list[tuple[Any, ...]]:
        """What is stored: a checksum of each table, and the names of all that there is."""
        tables = self.connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
        ).fetchall()
        sums = [
            f"""SELECT '{schema}', '{table.replace("'", "''")}', count(*), bit_xor(hash(t)), sum(hash(t)) """
            f"""FROM "{schema}"."{table.replace('"', '""')}" t"""
            for schema, table in tables
        ]
        rows = self.connection.execute(" UNION ALL ".join(sums) + " ORDER BY 1, 2").fetchall()
        views = self.connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1")
        return [*rows, *views.fetchall()]

    def put_back(self) -> None:
        self.connection.close()
        self._open()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "zoo.db"
    with modelstore.connect(path) as connection:
        connection.execute(
            "INSERT INTO benchmark_results (model, dataset, score) "
            "SELECT m, 'd' || d, 0.5 + d / 20 + m.hash() % 7 / 90 "
            "FROM (VALUES ('a1'), ('a2'), ('b1'), ('c1')) t(m), range(6) u(d)"
        )
        connection.execute(
            "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) "
            "SELECT model, dataset, s, score * s / 4, score * s / 4, 1.0 FROM benchmark_results, range(1, 5) t(s)"
        )
        connection.execute(
            "INSERT INTO proxy_scores (model, dataset, proxy, score) "
            "SELECT DISTINCT model, 'd0', 'leep', -score FROM benchmark_results WHERE dataset = 'd0'"
        )
        connection.execute("CLUSTER MODELS")
    return path


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    folder = tmp_path_factory.mktemp("random")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where a text may come to write a file
        patch.setenv("HF_HUB_OFFLINE", "1")
        store = Fresh(folder, template)
        yield store
        store.connection.close()


def check(fresh: Fresh, sql: str, parameters: Any = None) -> None:
    connection = fresh.connection
    error = None
    try:
        connection.execute(sql, parameters)
        if connection.description is not None:
            connection.fetchall()
    except duckdb.Error as raised:
        error = raised
    if error is not None:
        assert str(error).strip()
        if isinstance(error, modelstore.ExtensionSyntaxError):
            _check_place(str(error), sql)
    try:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
        connection.execute("BEGIN").execute("ROLLBACK")  # nothing was left open
    except duckdb.TransactionException:
        # A text may hold BEGIN of its own.
        assert "BEGIN" in sql.upper() or "START" in sql.upper()
        connection.rollback()
    changed = fresh.state() != fresh.first
    if changed:
        fresh.put_back()
    one_statement = sql.isprintable() and len(split(sql)) < 2
    if error is not None and one_statement:
        assert not changed


def _check_place(message: str, sql: str) -> None:
    """An extension statement's syntax error names the line, shows it, and has its caret within it."""
    *_, line, carets = message.split("\n")
    label, _, shown = line.partition(": ")
    number = int(label.removeprefix("LINE "))
    assert 1 <= number <= sql.count("\n") + 1
    assert shown.strip("…") in visible(sql.split("\n")[number - 1])
    assert carets.strip(" ").strip("^") == ""
    cells = sum(2 if east_asian_width(character) in "FW" else 1 for character in line)
    assert len(label) + 2 <= carets.index("^") <= cells
    assert len(carets) <= cells + 1


@thorough
@given(sql=texts)
def test_any_text_runs_or_raises_an_error_with_its_place(fresh: Fresh, sql: str) -> None:
    check(fresh, sql)


@thorough
@given(start=after_the_beginning, rest=texts)
def test_any_text_after_a_statement_s_beginning_runs_or_raises_an_error(
    fresh: Fresh, start: str, rest: str
) -> None:
    check(fresh, start + rest)


@thorough
@given(words=st.lists(tokens, max_size=25), between=st.sampled_from([" ", "", "\n", "\u00a0", " /* x */ "]))
def test_any_tokens_run_or_raise_an_error_with_its_place(
    fresh: Fresh, words: list[str], between: str
) -> None:
    check(fresh, between.join(words))


@thorough
@given(start=after_the_beginning, words=st.lists(tokens, max_size=15), parameters=parameters)
def test_any_tokens_after_a_statement_s_beginning_run_or_raise_an_error(
    fresh: Fresh, start: str, words: list[str], parameters: Any
) -> None:
    check(fresh, start + " ".join(words), parameters)


@thorough
@given(sql=mutated(), parameters=parameters)
def test_changed_statements_run_or_raise_an_error_with_its_place(
    fresh: Fresh, sql: str, parameters: Any
) -> None:
    check(fresh, sql, parameters)


@pytest.mark.parametrize("sql", EXTENSIONS)
def test_the_statements_that_are_changed_can_be_read_unchanged(fresh: Fresh, sql: str) -> None:
    check(fresh, sql)
    [(_, end, words)] = split(sql)
    if sql.startswith(("CREATE VIEW", "PREPARE")):
        with pytest.raises(modelstore.ExtensionSyntaxError, match="cannot hold this statement"):
            scan(sql, end, words)
    else:
        assert scan(sql, end, words)


@pytest.mark.parametrize(
    "unit",
    [
        *("[{(", "'", '"', "/*", "$$ RECALL ", "? ", "; ", "a, ", "WITH (", "EXPLAIN (", "\u00a0RECALL"),
        *("SELECT BEST MODEL FOR ", "(SELECT BEST MODEL FOR x FROM ", "RECALL 3 MODELS FOR x UNION ALL "),
        *("RECALL 3 MODELS FOR x; ", "CREATE MODEL ", "WITH a AS (RECALL MODELS FOR x) "),
    ],
)
@pytest.mark.parametrize("start", ["RECALL ", "EXPLAIN (ANALYZE ", "SELECT BEST MODEL FOR x FROM "])
def test_a_long_text_of_repeated_openings_ends_in_an_error_or_a_result(
    fresh: Fresh, start: str, unit: str
) -> None:
    """Not of `(` alone: DuckDB's own parser takes gigabytes for some thousand of them."""
    check(fresh, start + unit * (20_000 // len(unit)))
