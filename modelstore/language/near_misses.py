"""What may have been meant by a text that is neither DuckDB's SQL nor an extension statement."""

from difflib import get_close_matches
from functools import cache

import duckdb

from modelstore.errors import ExtensionSyntaxError, point_at
from modelstore.language import statements
from modelstore.language.scanner import scan, split
from modelstore.language.tokens import Kind, Token

_LONG = 100_000  # characters
_FIRST = 8  # tokens that an opening takes at most: EXPLAIN ANALYZE SELECT BEST - 1 MODELS FOR


def misspelt(sql: str) -> ExtensionSyntaxError | None:
    """The error for a statement that one word's spelling keeps from being an extension statement, or None.

    An error in ordinary SQL stays DuckDB's: the word must be none of DuckDB's keywords, and with it put right, the
    whole statement must be an extension statement. Long texts are not looked at: they were not typed.
    """
    if len(sql) > _LONG:
        return None
    for start, end, tokens in split(sql):
        for token in tokens[:_FIRST]:
            for meant in _near(token.text.upper()) if token.kind is Kind.WORD else ():
                if _is_extension(sql, start, end, token, meant):
                    message = (
                        f'Parser Error: syntax error at or near "{token.text}" (did you mean "{meant}"?)'
                    )
                    return ExtensionSyntaxError(point_at(message, sql, token.start, token.end))
    return None


def _is_extension(sql: str, start: int, end: int, token: Token, meant: str) -> bool:
    """Whether a statement is an extension statement from end to end with ``meant`` in place of ``token``."""
    text = sql[start : token.start] + meant + sql[token.end : end]
    try:
        [(_, last, tokens)] = split(text)
        return any(
            (one.start, one.end) == (tokens[0].start, tokens[-1].end) for one in scan(text, last, tokens)
        )
    except ExtensionSyntaxError:
        return False


def _near(word: str) -> list[str]:
    """The opening words that a word may be a misspelling of."""
    known = statements.LANGUAGE.opening_words
    if word in known or word in _keywords():
        return []
    return get_close_matches(word, known, n=2, cutoff=0.7)


@cache
def _keywords() -> frozenset[str]:
    """DuckDB's own keywords."""
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT upper(keyword_name) FROM duckdb_keywords()").fetchall()
    return frozenset(word for (word,) in rows)
