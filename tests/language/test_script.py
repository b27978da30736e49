"""A script is read once: its statements, and the first error in it."""

from typing import Any

import duckdb
import pytest

from modelstore.errors import ExtensionSyntaxError
from modelstore.language import scanner
from modelstore.language.script import Mode, Script, last_statement, read_script
from modelstore.language.tokens import tokenize


class CountingConnection:
    """A connection that counts the texts that DuckDB parses."""

    def __init__(self) -> None:
        self._duckdb = duckdb.connect()
        self.parsed: list[str] = []

    def extract_statements(self, sql: str) -> list[duckdb.Statement]:
        self.parsed.append(sql)
        return self._duckdb.extract_statements(sql)


def read(sql: str) -> Script:
    with duckdb.connect() as connection:
        script = read_script(connection, sql)
    assert script is not None
    return script


def test_a_text_that_duckdb_parses_is_left_to_duckdb() -> None:
    with duckdb.connect() as connection:
        assert read_script(connection, "SELECT 1; FROM (suggest benchmarks)") is None


@pytest.mark.parametrize(
    ("sql", "parsed"),
    [
        ("RECALL MODELS FOR x;", 2),  # that it is not DuckDB's, and what is left of it
        ("SELECT 1; RECALL MODELS FOR x", 4),  # the same, and that the first is and the second is not
    ],
)
def test_nothing_is_parsed_or_cut_into_tokens_twice(
    sql: str, parsed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: Any = CountingConnection()
    cut: list[str] = []
    monkeypatch.setattr(scanner, "tokenize", lambda text: cut.append(text) or tokenize(text))
    assert read_script(connection, sql) is not None
    assert len(connection.parsed) == len(set(connection.parsed)) == parsed
    assert cut == [sql]


def test_each_statement_has_its_place_its_mode_and_what_is_embedded_in_it() -> None:
    sql = "SELECT 1;\nEXPLAIN RECALL MODELS FOR x; DESCRIBE SELECT * FROM (SELECT BEST MODEL FOR y)"
    statements = read(sql).statements
    assert [statement.text.strip() for statement in statements] == [part.strip() for part in sql.split(";")]
    assert [statement.mode for statement in statements] == [Mode.RUN, Mode.EXPLAIN, Mode.DESCRIBE]
    assert [[sql[one.start : one.end] for one in statement.embedded] for statement in statements] == [
        [],
        ["EXPLAIN RECALL MODELS FOR x"],
        ["SELECT BEST MODEL FOR y"],
    ]


def test_text_that_is_left_to_duckdb_keeps_its_lines_and_columns() -> None:
    [statement] = read("SELECT *\nFROM (RECALL 3\n  MODELS FOR x) WHERE rank < 2").statements
    assert statement.duckdb_text().splitlines()[2].endswith(") WHERE rank < 2")
    assert len(statement.duckdb_text()) == len(statement.text)


def test_an_error_in_what_is_left_has_its_line_in_the_whole_script() -> None:
    script = read("SELECT 1;\nRECALL MODELS FOR x;\nSELECT FROM WHERE")
    with pytest.raises(duckdb.ParserException, match="LINE 3: SELECT FROM WHERE"):
        script.check()


def test_an_extension_statement_that_is_wrong_is_an_error_before_any_other() -> None:
    with pytest.raises(ExtensionSyntaxError, match="expected FOR"):
        read("SELECT FROM WHERE; RECALL MODELS x")


def test_the_last_statement_is_one_that_duckdb_parses() -> None:
    with duckdb.connect() as connection:
        assert last_statement(connection, "SELECT 1; SELECT 2").query.strip() == "SELECT 2"
        assert "SELECT 0" in last_statement(connection, "SELECT 1; RECALL MODELS FOR x").query


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ("CREATE DATASET d AS ITH t AS (SELECT 1) FROM t", "ITH t"),
        ("CREATE DATASET d AS SELECT * FROM (RECALL 2 MODELS FOR x) WERE 1", "1"),
        ("RECALL MODELS FOR x FROM (SELECT 1 AS name WHERE)", ")"),
        ("SELECT BEST MODEL FOR x FROM m WHERE a IN IN (1)", "IN (1)"),
        ('RECALL MODELS FOR x FROM"m"WHERE(a b)', "b)"),
    ],
)
def test_the_queries_of_extension_statements_are_parsed_before_anything_runs(wrong: str, place: str) -> None:
    sql = f"RECALL MODELS FOR first;\n{wrong}"
    error = read(sql).error
    assert isinstance(error, duckdb.ParserException)
    *_, line, carets = str(error).split("\n")
    assert line == f"LINE 2: {wrong}"
    assert line[carets.index("^") :].startswith(place)


def test_what_extension_statements_take_from_duckdb_is_no_error() -> None:
    for sql in (
        "RECALL MODELS FOR x FROM/**/m\nWHERE/**/a USING leep",
        'BENCHMARK MODELS FROM"m"WHERE(a) ON d',
        "CREATE DATASET d AS WITH t AS (RECALL MODELS FOR x FROM (SELECT 1 AS name)) FROM t WITH (seed = 1)",
    ):
        assert read(f"{sql}; SELECT 1").error is None, sql
