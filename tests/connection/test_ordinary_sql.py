"""Ordinary SQL is DuckDB's: rows, types, description and errors, valid or not, however it is run.

The reference is a plain DuckDB connection to a copy of the same file, so that both have the store's tables.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

import modelstore

SCRIPTS: dict[str, list[str]] = {
    "select": [
        "SELECT 1",
        "SELECT 1 AS a, 'x' b, NULL AS \"c d\"",
        "FROM range(3)",
        "FROM range(5) t(i) SELECT i, i * i WHERE i % 2 = 0",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT * FROM (VALUES (1, 2), (3, 4)) t(a, b) ORDER BY ALL DESC LIMIT 50%",
        "SELECT DISTINCT ON (a) a, b FROM (VALUES (1, 2), (1, 3), (2, 4)) t(a, b) ORDER BY a, b",
        "SELECT * EXCLUDE (a) REPLACE (b + 1 AS b) RENAME (c AS d) FROM (SELECT 1 a, 2 b, 3 c)",
        "SELECT COLUMNS('^[ab]') FROM (SELECT 1 a, 2 b, 3 c)",
        "SELECT i, row_number() OVER (ORDER BY i DESC) AS r FROM range(4) t(i) QUALIFY r < 3",
        "SELECT count(*) FILTER (i > 2), sum(i), list(i ORDER BY i DESC) FROM range(5) t(i)",
        "SELECT i % 2 AS g, count(*) FROM range(5) t(i) GROUP BY ALL HAVING count(*) > 1 ORDER BY 1",
        "SELECT a, b, count(*) FROM (VALUES (1, 2), (1, 3)) t(a, b) GROUP BY ROLLUP (a, b) ORDER BY ALL",
        "SELECT * FROM range(2) a, LATERAL (SELECT a.range + 1) ORDER BY ALL",
        "SELECT * FROM (VALUES (1), (3)) a(x) POSITIONAL JOIN (VALUES ('q'), ('r')) b(y)",
        "SELECT * FROM (VALUES (1), (3)) a(x) ASOF JOIN (VALUES (0), (2)) b(y) ON a.x >= b.y ORDER BY x",
        "SELECT * FROM (VALUES (1), (2)) a(x) ANTI JOIN (VALUES (2)) b(x) USING (x)",
        "SELECT 1 UNION ALL BY NAME SELECT 2 AS b",
        "(SELECT 1 EXCEPT SELECT 2) INTERSECT SELECT 1",
        "SELECT x FROM (SELECT unnest([1, 2, 3]) AS x) USING SAMPLE 100 PERCENT (bernoulli) ORDER BY x",
        "SELECT 7 AS Count",
        "SELECT true AS Success",
        "SELECT true AS Success WHERE false",
        "TABLE modelstore_version",
    ],
    "common tables": [
        "WITH a AS (SELECT 1 AS x), b(y) AS MATERIALIZED (FROM a) SELECT * FROM a, b",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
        "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a",
        "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
        "WITH x AS (SELECT 1",
        "WITH SELECT 1",
    ],
    "types and literals": [
        "SELECT 1::TINYINT, 2::HUGEINT, 1.5::DECIMAL(9, 3), 1e3, 0x1F, 1_000, 'a'::BLOB",
        "SELECT DATE '2024-02-29', TIME '12:34:56.789', TIMESTAMP '2024-01-01 00:00:00', INTERVAL 3 DAYS",
        "SELECT TIMESTAMP_NS '2024-01-01 00:00:00.123456789', uuid '00000000-0000-0000-0000-000000000001'",
        "SELECT [1, NULL], {'a': 1, 'b': [2]}, MAP {'k': 1}, [[1], []]::INT[][], [1, 2]::INT[2]",
        "SELECT {'a': {'b': 1}}.a.b, [1, 2, 3][2:], [x * 2 FOR x IN [1, 2] IF x > 1], MAP {'k': 1}['k']",
        "SELECT list_transform([1, 2], lambda x: x + 1), list_reduce([1, 2, 3], lambda a, b: a + b)",
        "SELECT 'it''s', E'tab\\tnew', $$dollar ' $$, $tag$ $$ $tag$, 'con' 'cat'",
        "SELECT 'con'\n'cat'",
        "SELECT X'00ff', '\\x00'::BLOB, b'101', '101'::BIT",
        "SELECT 1 IS DISTINCT FROM NULL, NULL IS NULL, 1 <> 2, 1 != 2, NOT true, 3 BETWEEN 1 AND 4",
        "SELECT 'abc' LIKE 'a%', 'abc' ILIKE 'A_C', 'abc' SIMILAR TO 'a.*', 'abc' ~ 'b', 'a' || 'b', 'x' GLOB '*'",
        "SELECT 7 // 2, 7 % 4, 2 ** 3, 2 ^ 3, 5 & 3, 5 | 3, ~5, 1 << 3, @(-3), 4!",
        "SELECT CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END, coalesce(NULL, 1), nullif(1, 1), try_cast('x' AS INT)",
        "SELECT CAST('2' AS INT) + '3'::INT, '1'::UNION(i INT, s VARCHAR), 'a'::ENUM('a', 'b')",
        "SELECT typeof(1), typeof(1.0), typeof(1e0), typeof('a'), typeof(NULL), typeof([]), typeof(INTERVAL 1 YEAR)",
        "SELECT 'abc'.upper().lower(), (1).typeof()",
        "SELECT 170141183460469231731687303715884105727, 1e400, 'nan'::DOUBLE, '-inf'::FLOAT",
        "SELECT TIMESTAMP WITH TIME ZONE '2020-01-01 00:00:00+00' IS NULL",
        "SELECT 'x'::INT",
        "SELECT 300::TINYINT",
        "SELECT 9223372036854775807 + 1::BIGINT",
        "SELECT 1 + 'a'",
        "SELECT DATE '2023-02-30'",
    ],
    "tables": [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b VARCHAR DEFAULT 'x' CHECK (b <> ''), c INT AS (a + 1))",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE IF NOT EXISTS t (a INT)",
        "INSERT INTO t (a) VALUES (1), (2)",
        "INSERT INTO t (a, b) VALUES (3, 'RETURNING') ",
        "INSERT INTO t (a) VALUES (1)",
        "INSERT INTO t (a, b) VALUES (9, '')",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT OR REPLACE INTO t (a, b) VALUES (1, 'z')",
        "INSERT INTO t (a) VALUES (10) RETURNING *",
        "INSERT INTO t (a) VALUES (11) RETURNING a AS Count",
        "INSERT INTO t (a) VALUES (12) RETURNING a > 0 AS Success",
        "INSERT INTO t BY NAME SELECT 'n' AS b, 20 AS a",
        "UPDATE t SET b = 'RETURNING' WHERE a = 1",
        "UPDATE t SET b = 'y' WHERE a = 2 RETURNING a, b",
        "DELETE FROM t WHERE a = 3 RETURNING b",
        "DELETE FROM t USING (SELECT 2 AS x) s WHERE a = x",
        "MERGE INTO t USING (SELECT 50 AS a) s ON t.a = s.a WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)",
        "FROM t ORDER BY a",
        "ALTER TABLE t ADD COLUMN d DOUBLE DEFAULT 1.5",
        "ALTER TABLE t RENAME COLUMN d TO e",
        "ALTER TABLE t ALTER e TYPE INTEGER",
        "ALTER TABLE t DROP COLUMN nothing",
        "CREATE INDEX i ON t (b)",
        "CREATE OR REPLACE TEMP TABLE u AS SELECT a FROM t",
        "TRUNCATE u",
        "DESCRIBE t",
        "SUMMARIZE SELECT 1 AS a",
        "SHOW TABLES",
        "SELECT table_name, column_count FROM duckdb_tables() ORDER BY ALL",
        "COMMENT ON TABLE t IS 'about t'",
        "DROP TABLE t",
        "DROP TABLE t",
        "DROP TABLE IF EXISTS t",
    ],
    "other objects": [
        "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT a + 1 AS b FROM s.t",
        "FROM v",
        "CREATE MACRO plus(a, b := 1) AS a + b",
        "SELECT plus(1), plus(1, b := 5)",
        "CREATE MACRO numbers(n) AS TABLE SELECT * FROM range(n)",
        "FROM numbers(2)",
        "CREATE SEQUENCE q START 5",
        "SELECT nextval('q'), currval('q')",
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "SELECT 'ok'::mood, 'happy'::mood",
        "SELECT enum_range(NULL::mood)",
        "DROP SCHEMA s",
        "DROP SCHEMA s CASCADE",
        "FROM v",
        "DROP TYPE mood; DROP SEQUENCE q; DROP VIEW v; DROP MACRO plus",
    ],
    "settings": [
        "SET default_order = 'desc'",
        "SELECT current_setting('default_order')",
        "FROM range(3) ORDER BY 1",
        "RESET default_order",
        "SET no_such_setting = 1",
        "SET threads = 'many'",
        "SET VARIABLE x = 42",
        "SELECT getvariable('x')",
        "PRAGMA table_info('modelstore_version')",
        "PRAGMA no_such_pragma",
        "PRAGMA disable_progress_bar",
        "CALL pragma_table_info('modelstore_version')",
        "CALL range(2)",
        "SHOW threads_are_many",
        "USE nowhere",
        "ATTACH ':memory:' AS other; USE other",
        "CREATE TABLE t AS SELECT 1 AS a; SELECT current_database()",
        "USE db; DETACH other",
        "CHECKPOINT",
        "VACUUM",
        "ANALYZE",
        "LOAD nothing_of_that_name",
        "INSTALL",
    ],
    "prepared": [
        "PREPARE p AS SELECT $1 + 1 AS Count",
        "EXECUTE p(1)",
        "EXECUTE p",
        "PREPARE w AS INSERT INTO modelstore_version VALUES ($n)",
        "EXECUTE w(n := -1)",
        "EXECUTE nothing(1)",
        "PREPARE c AS SET threads = 1",
        "DEALLOCATE p",
        "EXECUTE p(1)",
        "SELECT ? + ?",
        "SELECT $a, $b",
        "SELECT $1, ?",
    ],
    "transactions": [
        "COMMIT",
        "BEGIN",
        "CREATE TABLE t AS SELECT 1 AS a",
        "BEGIN",
        "SELECT * FROM t",
        "ROLLBACK",
        "BEGIN; CREATE TABLE t AS SELECT 1 AS a; COMMIT",
        "BEGIN",
        "SELECT nope",
        "SELECT 1",
        "SELCT 1",
        "ABORT",
        "FROM t",
        "START TRANSACTION READ ONLY",
        "INSERT INTO t VALUES (2)",
        "ROLLBACK",
    ],
    "files": [
        "COPY (SELECT i, 'v' || i AS v FROM range(4) t(i)) TO 'out.csv'",
        "FROM 'out.csv'",
        "SELECT * FROM read_csv('out.csv', all_varchar = true)",
        "COPY (SELECT 1 AS a) TO 'out.parquet' (FORMAT parquet)",
        "SELECT a, file_name FROM parquet_schema('out.parquet'), (SELECT 1 AS a)",
        "COPY (SELECT 1 AS a) TO 'files.csv' (RETURN_FILES)",
        "CREATE TABLE t (i INT, v VARCHAR)",
        "COPY t FROM 'out.csv'",
        "COPY t TO 'sub/none.csv'",
        "COPY t FROM 'none.csv'",
        "FROM 'none.csv'",
        "FROM glob('*.csv') ORDER BY 1",
        "EXPORT DATABASE 'exported'",
    ],
    "explain and describe": [
        "EXPLAIN SELECT 1",
        "EXPLAIN (FORMAT json) SELECT 1",
        "EXPLAIN CREATE TABLE t (a INT)",
        "DESCRIBE SELECT 1 AS a, 'x' AS b",
        "SHOW ALL TABLES",
        "DESCRIBE nowhere",
        "EXPLAIN SELCT 1",
    ],
    "pivot and unnest": [
        "CREATE TABLE cities AS FROM (VALUES ('nl', 2000, 5), ('nl', 2010, 6), ('us', 2000, 7)) t(c, year, n)",
        "SELECT * FROM (PIVOT cities ON year USING sum(n)) ORDER BY c",
        "PIVOT cities ON year IN (2000, 2010) USING sum(n) GROUP BY c ORDER BY c",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME k VALUE v",
        "SELECT unnest({'a': 1, 'b': 2}), unnest([1, 2])",
        "SELECT unnest([{'a': 1}, {'a': 2}], recursive := true)",
    ],
    "errors": [
        "SELCT 1",
        "SELECT",
        "SELECT 1 +",
        "SELECT (1",
        "SELECT 1)",
        "SELECT * FROM nowhere_at_all_to_be_found",
        "SELECT no_such_column FROM range(1)",
        "SELECT no_such_function_at_all(1)",
        "SELECT 1 FROM range(1) GROUP BY",
        "SELECT a FROM (SELECT 1 AS b)",
        "SELECT sum(sum(range)) FROM range(2)",
        "SELECT error('mine')",
        "INSERT INTO modelstore_version VALUES (1, 2)",
        "CREATE TABLE (a INT)",
        "CREATE TABLE t (a NOTYPE)",
        "CREATE NOTHING x",
        "DROP SOMETHING x",
        "SELECT 'open",
        'SELECT "open',
        "SELECT $$open",
        "SELECT /* open",
        "SELECT 1 /* a /* nested */ b */",
        "SELECT 'a\x00b', length('a\x00b')",
        "\x00",
        "SELECT \x00 1",
        "EXPLAIN",
        "1",
        "@",
        "?",
        ")",
        "SELECT 1 AS select",
        "SELECT 1 FROM a.b.c.d.e",
        "SELECT 1 LIMIT 'x'",
    ],
    "our words": [
        "CREATE TABLE recall AS SELECT 1 AS models, 2 AS best",
        "SELECT best model FROM recall",
        "SELECT best, models FROM recall",
        "FROM (recall models)",
        "CREATE TABLE model (dataset INT, cluster INT, benchmark INT)",
        "INSERT INTO model VALUES (1, 2, 3) RETURNING cluster",
        "WITH best AS (FROM model) SELECT dataset FROM best",
        "SELECT 'SELECT BEST MODEL FOR x', $$RECALL 3 MODELS FOR x$$ AS \"CLUSTER MODELS\"",
        "SELECT 1 -- CLUSTER MODELS",
        "SELECT /* RECALL 3 MODELS FOR x */ 1",
        "SELECT best model, FROM recall",
        "SELECT best(model)",
        "SELECT model.best FROM model",
        "recall",
        "benchmark",
        "cluster dataset",
        "DROP TABLE dataset",
        "SELECT (1 recall",
        "SELECT 1; SELECT best FROM; SELECT 2",
        "SELECT nowhere; SELECT 2 recall recall",
        "ALTER TABLE model RENAME TO dataset",
    ],
    "spaces, comments and unicode": [
        "",
        ";",
        " ;; ;",
        "-- nothing",
        "/* nothing */",
        "\n\n  SELECT\t1\r\n;\n",
        "SELECT\u00a01",
        "SELECT\u30001\u2003AS\u00a0a",
        "\ufeffSELECT 1",
        "SELECT 'ä', 'ß' AS größe, '日本' AS \"日本\", '🦆' AS 🦆",
        "SELECT größe FROM (SELECT 1 AS größe) -- Ende",
        "SELECT '日本', nope",
        "SELECT 1 /* ä */ nope nope nope",
        "SELECT\n  'é',\n  nope\nFROM range(1)",
    ],
    "scripts": [
        "SELECT 1; SELECT 2",
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t",
        "SELECT 1; INSERT INTO t VALUES (3)",
        "SELECT 1; SELCT 2",
        "INSERT INTO t VALUES (4); SELECT nope",
        "FROM t; ;; -- end",
        "SELECT ';' AS a; SELECT $$;$$ /* ; */",
        "DROP TABLE t;;",
    ],
}
NAMES_ITS_COLUMN_SO = re.compile(r"(?<!SELECT \$1 \+ 1) AS (Count|Success)|EXECUTE p")

Run = Callable[[Any, str], Any]


def execute(connection: Any, sql: str) -> None:
    connection.execute(sql)


def in_a_transaction(connection: Any, sql: str) -> object:
    connection.execute("BEGIN")
    inside = outcome(connection, execute, sql)
    still_open = outcome(connection, execute, "SELECT 'still open'")
    connection.execute("ROLLBACK")
    connection.execute("SELECT 'after'")
    return inside, still_open


def with_parameters(connection: Any, sql: str) -> None:
    connection.execute(sql, [1, "x"])


def with_named_parameters(connection: Any, sql: str) -> None:
    connection.execute(sql, {"a": 1, "b": None})


def many(connection: Any, sql: str) -> None:
    connection.executemany(sql, [[1], [2]])


def commented(connection: Any, sql: str) -> None:
    connection.execute(f"{sql}\n/* SELECT BEST MODEL FOR x; */ -- RECALL")


def as_statements(connection: Any, sql: str) -> None:
    for statement in connection.extract_statements(sql):
        connection.execute(statement)


def relation(connection: Any, sql: str) -> object:
    rows = connection.sql(sql)
    return rows is not None and (rows.columns, [str(kind) for kind in rows.types], repr(rows.fetchall()))


def outcome(connection: Any, run: Run, sql: str) -> tuple[object, ...]:
    """What a caller sees: what is returned, or the error; then the columns, row count and rows that are open.

    A statement without rows has, as in PEP 249, no description, and fetching is an error.
    """
    seen: list[object] = []
    try:
        seen.append(run(connection, sql))
    except duckdb.Error as error:
        seen += [type(error), str(error)]
    described = connection.description
    names = described and [column[0] for column in described]
    columns = described and [str(column[1]) for column in described]
    try:
        rows = repr(connection.fetchall())
    except duckdb.InvalidInputException as error:
        rows = str(error)
    if names in (["Count"], ["Success"]) and not NAMES_ITS_COLUMN_SO.search(sql):
        assert isinstance(connection, duckdb.DuckDBPyConnection)
        names, columns, rows = None, None, "without rows"
    if "no results to fetch" in rows:
        rows = "without rows"
    return (*seen, names, columns, connection.rowcount, rows)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "db.duckdb"
    modelstore.connect(path).close()
    return path


@pytest.fixture
def pair(template: Path, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """A plain connection and ours, each to a file of its own in a folder of its own."""
    for name in ("plain", "ours"):
        (tmp_path / name).mkdir()
        shutil.copy(template, tmp_path / name / "db.duckdb")
    plain = duckdb.connect(str(tmp_path / "plain" / "db.duckdb"))
    with plain, modelstore.connect(tmp_path / "ours" / "db.duckdb") as ours:
        for connection in (plain, ours):
            connection.execute("SELECT 'the first' AS result")
        yield plain, ours


WAYS: list[Run] = [
    execute,
    in_a_transaction,
    with_parameters,
    with_named_parameters,
    many,
    commented,
    as_statements,
    relation,
]


@pytest.mark.parametrize("run", WAYS, ids=lambda run: run.__name__)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_connection_gives_what_duckdb_gives(
    pair: tuple[Any, Any], run: Run, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, ours = pair
    for sql in SCRIPTS[script]:
        monkeypatch.chdir(tmp_path / "plain")
        expected = outcome(plain, run, sql)
        monkeypatch.chdir(tmp_path / "ours")
        found = outcome(ours, run, sql)
        assert found == expected, sql


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_cursor_and_a_joined_text_too(pair: tuple[Any, Any], script: str, tmp_path: Path) -> None:
    plain, ours = pair[0].cursor(), pair[1].cursor()
    sqls = [sql for sql in SCRIPTS[script] if "COPY" not in sql and "EXPORT" not in sql]
    for first, second in pairwise(sqls):
        joined = f"{first};\n{second}"
        expected, found = outcome(plain, execute, joined), outcome(ours, execute, joined)
        assert found == expected, joined


def test_queries_whose_column_is_called_as_duckdbs_own_answers_are(pair: tuple[Any, Any]) -> None:
    _, ours = pair
    for sql in ("SELECT 1 AS Count", "SELECT true AS Success", "VALUES (1)"):
        assert ours.execute(sql).description is not None
    ours.execute("PREPARE p AS SELECT 1 AS Count")
    assert ours.execute("EXECUTE p").fetchall() == [(1,)]
    ours.execute(ours.extract_statements("SELECT 2 AS Count")[0])
    assert ours.fetchall() == [(2,)]
    for sql in (
        "CREATE TABLE t (a INT)",
        "CHECKPOINT",
        "INSERT INTO t VALUES (1) -- RETURNING",
        "SET threads = 1",
    ):
        assert ours.execute(sql).description is None


def test_what_a_parser_error_leaves_open_can_be_fetched(pair: tuple[Any, Any]) -> None:
    for connection in pair:
        connection.execute("SELECT 1 AS Count")
        with pytest.raises(duckdb.ParserException):
            connection.execute("SELCT 2")
        assert connection.fetchall() == [(1,)]


def test_what_planning_has_read_cannot_be_fetched(pair: tuple[Any, Any]) -> None:
    _, ours = pair
    with pytest.raises(modelstore.NotFoundError):
        ours.execute("RECALL 3 MODELS FOR nowhere")
    assert ours.description is None
    with pytest.raises(modelstore.Error):
        ours.fetchall()


def test_a_method_that_returns_duckdbs_connection_returns_the_store(pair: tuple[Any, Any]) -> None:
    _, ours = pair
    assert ours.begin() is ours
    assert ours.commit() is ours


@pytest.mark.parametrize("text", ["SELECT '\ud800'", "RECALL MODELS FOR '\udfff'"])
def test_a_text_that_is_no_unicode_is_an_error(pair: tuple[Any, Any], text: str) -> None:
    _, ours = pair
    for run in (execute, many, relation):
        with pytest.raises(duckdb.InvalidInputException):
            run(ours, text)
    assert ours.execute("SELECT 1").fetchall() == [(1,)]
