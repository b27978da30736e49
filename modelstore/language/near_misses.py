"""What may have been meant by a text that neither DuckDB nor we can parse."""

from difflib import get_close_matches
from functools import cache, lru_cache

import duckdb

from modelstore.errors import ExtensionSyntaxError, point_at
from modelstore.language.scanner import scan, split
from modelstore.language.tokens import Kind, Token

# The words that say which statement of ours it is.
_OPENING = (
    *("SELECT", "BEST", "RECALL", "MODEL", "MODELS", "FOR", "EXPLAIN", "ANALYZE"),
    *("CREATE", "REPLACE", "DROP", "DATASET", "BENCHMARK", "CLUSTER", "RESUME", "SELECTION"),
    *("COMPARE", "STRATEGIES", "SUGGEST", "BENCHMARKS"),
)
_FIRST = 8  # tokens in which they stand: EXPLAIN ANALYZE SELECT BEST - 1 MODELS FOR


def misspelt(sql: str) -> ExtensionSyntaxError | None:
    """The error for a statement that one word's spelling keeps from being one of ours from end to end, or None.

    So an error in ordinary SQL stays DuckDB's: the word is none of its keywords, and all the rest is as ours has it.
    """
    for start, end, tokens in split(sql):
        for token in tokens[:_FIRST]:
            for meant in _near(token.text.upper()) if token.kind is Kind.WORD else ():
                if _is_ours(sql, start, end, token, meant):
                    message = (
                        f'Parser Error: syntax error at or near "{token.text}" (did you mean "{meant}"?)'
                    )
                    return ExtensionSyntaxError(point_at(message, sql, token.start, token.end))
    return None


def _is_ours(sql: str, start: int, end: int, token: Token, meant: str) -> bool:
    text = sql[start : token.start] + meant + sql[token.end : end]
    try:
        [(first, last, tokens)] = split(text)
        return any(
            (one.start, one.end) == (tokens[0].start, tokens[-1].end)
            for one in scan(text, first, last, tokens).found
        )
    except ExtensionSyntaxError:
        return False


@lru_cache(maxsize=1024)
def _near(word: str) -> list[str]:
    return (
        [] if word in _keywords() or word in _OPENING else get_close_matches(word, _OPENING, n=2, cutoff=0.7)
    )


@cache
def _keywords() -> frozenset[str]:
    """DuckDB's own keywords."""
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT upper(keyword_name) FROM duckdb_keywords()").fetchall()
    return frozenset(word for (word,) in rows)
