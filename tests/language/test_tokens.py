"""Tokens are DuckDB's, with their text and character offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.language.tokens import Kind, tokenize, value_of


def texts(sql: str) -> list[str]:
    return [token.text for token in tokenize(sql)]


def test_comments_are_left_out_and_strings_stay_whole() -> None:
    sql = "SELECT 'a -- b' /* SELECT BEST */, $$ ; $$ -- MODEL\n, E'it\\'s'"
    assert texts(sql) == ["SELECT", "'a -- b'", ",", "$$ ; $$", ",", "E'it\\'s'"]


def test_offsets_are_characters_after_text_that_is_not_ascii() -> None:
    sql = "SELECT 'ßüø' AS größe, best"
    assert [sql[token.start : token.end] for token in tokenize(sql)] == texts(sql)


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\ufeff"])
def test_a_no_break_space_parts_words_as_in_duckdbs_parser(space: str) -> None:
    assert texts(f"SELECT BEST{space}MODEL") == ["SELECT", "BEST", "MODEL"]


def test_a_no_break_space_in_quotes_stays() -> None:
    [token] = tokenize('"a\u00a0b"')
    assert token.kind is Kind.QUOTED
    assert value_of(token) == "a\u00a0b"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("'it''s'", "it's"),
        ('"a""b"', 'a"b'),
        ("$tag$ x $$ y $tag$", " x $$ y "),
        ("E'a\\nb\\'c'", "a\nb'c"),
        ("reviews", "reviews"),
    ],
)
def test_the_value_of_a_token_is_what_it_stands_for(written: str, meant: str) -> None:
    [token] = tokenize(written)
    assert value_of(token) == meant


@given(st.text())
def test_any_text_is_tokenized_and_offsets_agree_with_texts(sql: str) -> None:
    ends = 0
    for token in tokenize(sql):
        assert sql[token.start : token.end] == token.text
        assert token.start >= ends
        ends = token.end
