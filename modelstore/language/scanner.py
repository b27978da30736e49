"""Finds our statements in SQL text by DuckDB's tokens.

Whatever DuckDB itself parses is DuckDB's. In a statement that it does not parse, ours are looked for
only where a statement or a query may start; what is found is handed to the dialect's parser, and the
rest of the text stays as the user wrote it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from modelstore.errors import ExtensionSyntaxError, point_at
from modelstore.language.scopes import common_tables
from modelstore.language.tokens import Kind, Token, tokenize

if TYPE_CHECKING:
    from modelstore.language.nodes import Extension

_SOME_QUERY = "SELECT 0"  # shorter than any of ours
_MOST = 100  # of ours in one statement: reading them takes the square of their number


class Mode(Enum):
    """Whether a statement's queries are run, or their plans or columns alone are asked for."""

    RUN = auto()
    EXPLAIN = auto()
    ANALYZE = auto()
    DESCRIBE = auto()


@dataclass(frozen=True)
class EmbeddedStatement:
    """A statement of ours at ``sql[start:end]``; one that is a query may stand inside a larger statement.

    ``tables`` are the spans of the common tables (`name AS (…)`) that are in scope there.
    """

    expression: "Extension"
    start: int
    end: int
    tables: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Statement:
    """One statement of a script: its text from ``start`` to ``end``, its tokens and what of it is ours.

    ``found`` is in the order in which it must run: what stands inside another comes before it.
    """

    sql: str
    start: int
    end: int
    tokens: tuple[Token, ...]
    found: tuple[EmbeddedStatement, ...]

    @property
    def text(self) -> str:
        return self.sql[self.start : self.end]

    @property
    def mode(self) -> Mode:
        """What shall happen to the queries in it, by its first words."""
        if self.tokens[0].is_word("DESCRIBE", "DESC", "SHOW"):
            return Mode.DESCRIBE
        if not self.tokens[0].is_word("EXPLAIN"):
            return Mode.RUN
        explain = self.tokens[1 : _skip_explain(self.tokens)]
        return Mode.ANALYZE if any(token.is_word("ANALYZE") for token in explain) else Mode.EXPLAIN

    def around(self) -> str:
        """What is DuckDB's of it, at the same lines and columns: a query of DuckDB's stands for each of ours."""
        text = self.sql[self.start : self.end]
        for one in self.found:
            first, last = one.start - self.start, one.end - self.start
            blank = re.sub(r"[^\n]", " ", text[first:last])
            text = text[:first] + _SOME_QUERY + blank[len(_SOME_QUERY) :] + text[last:]
        return text


def split(sql: str) -> list[tuple[int, int, tuple[Token, ...]]]:
    """The statements of a script, cut at semicolons: (start, end, tokens) of each that is not empty."""
    pieces: list[tuple[int, int, tuple[Token, ...]]] = []
    current: list[Token] = []
    start = 0
    for token in tokenize(sql):
        if token.is_operator(";"):
            if current:
                pieces.append((start, token.start, tuple(current)))
            current, start = [], token.end
        else:
            current.append(token)
    if current:
        pieces.append((start, len(sql), tuple(current)))
    return pieces


def scan(sql: str, start: int, end: int, tokens: tuple[Token, ...]) -> Statement:
    """What of one statement is ours.

    Raises ``ExtensionSyntaxError`` where it begins like one of ours and does not go on like one.
    """
    from modelstore.language.parser import parse_extension  # the parser takes a while to load

    found: list[EmbeddedStatement] = []
    parameters = _parameter_numbers(tokens)
    body = _skip_explain(tokens)
    starts = starts_of_ours(tokens)
    if len(starts) > _MOST:
        one_too_many = tokens[starts[_MOST]]
        message = (
            f"Parser Error: a statement holds at most {_MOST} of ours: keep rows of some in a table first"
        )
        raise ExtensionSyntaxError(point_at(message, sql, one_too_many.start, one_too_many.end))
    for index in range(body + 1, len(tokens)):
        _refuse_inner_resume(sql, tokens, index, body)
    for index in starts:
        _refuse_kept(sql, tokens, index)
        stop = _end_of(tokens, index, body)
        # EXPLAIN is ours where all that it explains is.
        span = tokens if index == body and stop == len(tokens) else tokens[index:stop]
        expression = parse_extension(sql, span, parameters, end)
        found.append(EmbeddedStatement(expression, span[0].start, span[-1].end, common_tables(tokens, index)))
    found.sort(key=lambda one: (one.end, -one.start))
    return Statement(sql, start, end, tokens, tuple(found))


def _parameter_numbers(tokens: Sequence[Token]) -> dict[int, int]:
    """The number (from 1) of each `?` by its offset: they are counted over the whole statement."""
    marks = [token.start for token in tokens if token.is_operator("?")]
    return {offset: number for number, offset in enumerate(marks, 1)}


def starts_of_ours(tokens: Sequence[Token]) -> list[int]:
    """The indices of a statement's tokens at which statements of ours begin."""
    body = _skip_explain(tokens) if tokens else 0
    return [index for index in range(body, len(tokens)) if _starts_ours(tokens, index, body)]


def _starts_ours(tokens: Sequence[Token], index: int, body: int) -> bool:
    """Whether one of our statements begins at a token; ``body`` is where what may be explained begins."""
    if index == body:
        return _starts_statement(tokens, index) or _starts_query(tokens, index)
    return _starts_query(tokens, index) and _query_may_start(tokens, index, body)


def _refuse_inner_resume(sql: str, tokens: Sequence[Token], index: int, body: int) -> None:
    if _starts_resume(tokens, index) and _query_may_start(tokens, index, body):
        message = (
            "Parser Error: RESUME SELECTION is a statement by itself and stands in no other: "
            "once it is done, its decisions are in selection_stages and its winner in selections"
        )
        raise ExtensionSyntaxError(point_at(message, sql, tokens[index].start, tokens[index].end))


def _refuse_kept(sql: str, tokens: Sequence[Token], index: int) -> None:
    """A view, macro or prepared statement would train anew, or not at all, each time that it is used."""
    kept = None
    if tokens[0].is_word("PREPARE"):
        kept = ("prepared statement", "execute it with parameters instead")
    elif tokens[0].is_word("CREATE"):
        words = (t.text.lower() for t in tokens[:index] if t.is_word("VIEW", "MACRO", "FUNCTION"))
        kept = next(((word, "keep its rows with CREATE TABLE … AS") for word in words), None)
    if kept is not None:
        kind, instead = kept
        message = f"Parser Error: a {kind} cannot hold this statement, which trains when it is run: {instead}"
        raise ExtensionSyntaxError(point_at(message, sql, tokens[index].start, tokens[index].end))


def _skip_explain(tokens: Sequence[Token]) -> int:
    """The index after `EXPLAIN`, `EXPLAIN ANALYZE` or `EXPLAIN (option, …)`."""
    if not tokens[0].is_word("EXPLAIN"):
        return 0
    if len(tokens) > 1 and tokens[1].is_operator("("):
        close = next((i for i, token in enumerate(tokens) if token.is_operator(")")), None)
        options = tokens[2:close]
        # A parenthesised query may be explained too.
        if close is not None and options and options[0].is_word("ANALYZE", "FORMAT", "CODEGEN", "STATISTICS"):
            return close + 1
    return 2 if _word_at(tokens, 1, "ANALYZE") else 1


def _word_at(tokens: Sequence[Token], index: int, *words: str) -> bool:
    return index < len(tokens) and tokens[index].is_word(*words)


def _starts_statement(tokens: Sequence[Token], index: int) -> bool:
    if _word_at(tokens, index, "CREATE"):
        index += 1
        if _word_at(tokens, index, "OR") and _word_at(tokens, index + 1, "REPLACE"):
            index += 2
        return _word_at(tokens, index, "MODEL", "DATASET")
    if _word_at(tokens, index, "DROP"):
        return _word_at(tokens, index + 1, "MODEL", "DATASET")
    if _starts_resume(tokens, index):
        return True
    return _word_at(tokens, index, "BENCHMARK", "CLUSTER") and _word_at(
        tokens, index + 1, "MODEL", "MODELS", "FROM", "WHERE", "ON", "USING", "WITH"
    )


def _starts_resume(tokens: Sequence[Token], index: int) -> bool:
    """`RESUME SELECTION`, or the same with SELECTION misspelt and an id after it."""
    if not _word_at(tokens, index, "RESUME"):
        return False
    if _word_at(tokens, index + 1, "SELECTION"):
        return True
    misspelt = index + 1 < len(tokens) and tokens[index + 1].kind is Kind.WORD
    return misspelt and _skip_count(tokens, index + 2) > index + 2


def _starts_query(tokens: Sequence[Token], index: int) -> bool:
    """`SELECT BEST [n] MODEL[S]`, `RECALL [k] MODELS`, or the same with MODELS misspelt and FOR after it;
    `COMPARE STRATEGIES`, `SUGGEST [k] BENCHMARKS`.
    """
    if _word_at(tokens, index, "COMPARE"):
        return _word_at(tokens, index + 1, "STRATEGIES", "STRATEGY")
    if _word_at(tokens, index, "SUGGEST"):
        return _word_at(tokens, _skip_count(tokens, index + 1), "BENCHMARKS", "BENCHMARK")
    if _word_at(tokens, index, "SELECT") and _word_at(tokens, index + 1, "BEST"):
        index += 2
    elif _word_at(tokens, index, "RECALL"):
        index += 1
    else:
        return False
    index = _skip_count(tokens, index)
    if _word_at(tokens, index, "MODEL", "MODELS", "FOR"):
        return True
    return _word_at(tokens, index + 1, "FOR") and tokens[index].kind is Kind.WORD


def _skip_count(tokens: Sequence[Token], index: int) -> int:
    if index >= len(tokens):
        return index
    if tokens[index].is_operator("-"):
        index += 1
    if index < len(tokens) and (tokens[index].kind is Kind.NUMBER or tokens[index].is_operator("?")):
        return index + 1
    return index + 2 if index < len(tokens) and tokens[index].is_operator("$") else index


_BEFORE_QUERY = ("AS", "ALL", "DISTINCT", "UNION", "EXCEPT", "INTERSECT", "NAME", "MATERIALIZED")


def _query_may_start(tokens: Sequence[Token], index: int, body: int) -> bool:
    before = tokens[index - 1]
    if before.is_operator("(") or before.is_word(*_BEFORE_QUERY):
        return True
    if before.is_word("DESCRIBE", "DESC", "SHOW", "SUMMARIZE"):
        return index == body + 1
    if before.is_word("TABLE"):  # a macro's: AS TABLE query
        return index > 1 and tokens[index - 2].is_word("AS")
    if before.is_operator(")"):  # the end of CTEs, or of INSERT's columns
        if _word_at(tokens, body, "INSERT"):
            return True
        return any(end == before.end for _, end in common_tables(tokens, index))
    return _word_at(tokens, body, "INSERT") and before.kind in (Kind.WORD, Kind.QUOTED)


def _end_of(tokens: Sequence[Token], index: int, body: int) -> int:
    """The index after our statement's last token: what belongs to an outer query is not ours."""
    if index == body and _starts_statement(tokens, index):
        return len(tokens)
    depth = 0
    for position in range(index, len(tokens)):
        token = tokens[position]
        if token.is_operator("(", "[", "{"):
            depth += 1
        elif token.is_operator(")", "]", "}"):
            depth -= 1
            if depth < 0:
                return position
        elif depth == 0 and position > index and _belongs_to_outer(tokens, position):
            return position
    return len(tokens)


def _belongs_to_outer(tokens: Sequence[Token], index: int) -> bool:
    if tokens[index - 1].is_operator("."):
        return False
    token = tokens[index]
    if token.is_word("UNION", "EXCEPT", "INTERSECT", "LIMIT", "OFFSET", "RETURNING"):
        return True
    if token.is_word("ORDER"):
        return _word_at(tokens, index + 1, "BY")
    return token.is_word("ON") and _word_at(tokens, index + 1, "CONFLICT")
