"""The SQL reference says what the descriptions say, and its examples are statements."""

from pathlib import Path

import duckdb
import pytest

from modelstore.language.description import SHARED_WORDS, Statement
from modelstore.language.reference import reference, synopsis
from modelstore.language.scanner import scan, split
from modelstore.language.statements import CREATE_DATASET, LANGUAGE, SELECT_BEST
from modelstore.options import STRATEGIES
from modelstore.selection import strategies

SQL_PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


def test_the_sql_page_is_up_to_date() -> None:
    """If not: `python -m modelstore.language.reference > docs/sql.md`."""
    assert SQL_PAGE.read_text("utf-8") == reference()


def test_synopses_show_each_statement_s_clauses() -> None:
    assert synopsis(SELECT_BEST) == (
        "SELECT BEST [n] { MODEL | MODELS } FOR dataset [FROM relation] [WHERE predicate] [USING strategy] "
        "[WITH (option = value, …)]"
    )
    assert synopsis(CREATE_DATASET) == (
        "CREATE [OR REPLACE] DATASET [IF NOT EXISTS] name { FROM 'uri' | AS query } [WITH (option = value, …)]"
    )


@pytest.mark.parametrize("statement", LANGUAGE.statements, ids=lambda statement: statement.title)
def test_examples_are_read_as_the_statement_that_they_show(statement: Statement) -> None:
    [(_, end, tokens)] = split(statement.example)
    [found] = scan(statement.example, end, tokens)
    assert found.node.statement is statement
    assert LANGUAGE.may_be_in.search(statement.example)


def test_only_words_that_begin_statements_of_duckdb_are_passed_over_when_looking_for_extension_statements() -> (
    None
):
    for word in SHARED_WORDS:
        assert LANGUAGE.may_be_in.search(word) is None
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT upper(keyword_name) FROM duckdb_keywords()").fetchall()
    keywords = {word for (word,) in rows}
    first_words = {word for statement in LANGUAGE.statements for word in statement.words[0].forms}
    # DuckDB reserves CLUSTER, and has no use for it; SEARCH has one in WITH RECURSIVE, SIMILAR before TO; LIST is a
    # function there.
    assert first_words & keywords - {"CLUSTER", "SEARCH", "SIMILAR"} == set(SHARED_WORDS) - {"LIST"}


def test_strategies_are_those_that_selections_have() -> None:
    assert tuple(strategies.STRATEGIES) == STRATEGIES
