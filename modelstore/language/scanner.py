"""Finds extension statements in SQL text by DuckDB's tokens.

Whatever DuckDB itself parses is DuckDB's. In a statement that it does not parse, extension statements are looked for
only where a statement or a query may start; what is found is handed to the dialect's parser, and the rest of the text
stays as the user wrote it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelstore.errors import ExtensionSyntaxError, point_at
from modelstore.language import statements
from modelstore.language.description import Clause, Form, Part, Statement, Takes, Word
from modelstore.language.scopes import common_tables
from modelstore.language.tokens import Kind, Token, tokenize

if TYPE_CHECKING:
    from modelstore.language.nodes import Explain, Extension

_MOST = 100  # extension statements in one statement: reading them takes the square of their number


@dataclass(frozen=True)
class EmbeddedStatement:
    """An extension statement at ``sql[start:end]``; a table expression may stand inside a larger statement.

    ``tables`` are the spans of the common tables (`name AS (…)`) that are in scope there.
    """

    node: "Extension | Explain"
    start: int
    end: int
    tables: tuple[tuple[int, int], ...] = ()


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


def scan(sql: str, end: int, tokens: tuple[Token, ...]) -> tuple[EmbeddedStatement, ...]:
    """Finds and parses the extension statements in one statement of a script.

    Parameters
    ----------
    sql
        The whole script.
    end
        Where the statement ends in it.
    tokens
        The statement's tokens.

    Returns
    -------
    tuple of EmbeddedStatement
        In the order in which they must run: what stands inside another comes before it.

    Raises
    ------
    ExtensionSyntaxError
        Where an extension statement begins and does not go on like one.
    """
    from modelstore.language.parser import parse_extension  # the parser takes a while to load

    found: list[EmbeddedStatement] = []
    parameters = _parameter_numbers(tokens)
    body = skip_explain(tokens)
    starts = extension_starts(tokens)
    if len(starts) > _MOST:
        one_too_many = tokens[list(starts)[_MOST]]
        message = (
            f"Parser Error: a statement holds at most {_MOST} extension statements: "
            "keep the rows of some in a table first"
        )
        raise ExtensionSyntaxError(point_at(message, sql, one_too_many.start, one_too_many.end))
    for index in range(body + 1, len(tokens)):
        _refuse_inner_command(sql, tokens, index, body)
    for index, statement in starts.items():
        _refuse_kept(sql, tokens, index)
        stop = _end_of(tokens, index, statement)
        # EXPLAIN belongs to the extension statement where that is all that it explains.
        span = tokens if index == body and stop == len(tokens) else tokens[index:stop]
        node = parse_extension(sql, span, statement, parameters, end)
        found.append(EmbeddedStatement(node, span[0].start, span[-1].end, common_tables(tokens, index)))
    return tuple(sorted(found, key=lambda one: (one.end, -one.start)))


def _parameter_numbers(tokens: Sequence[Token]) -> dict[int, int]:
    """The number (from 1) of each `?` by its offset: they are counted over the whole statement."""
    marks = [token.start for token in tokens if token.is_operator("?")]
    return {offset: number for number, offset in enumerate(marks, 1)}


def extension_starts(tokens: Sequence[Token]) -> dict[int, Statement]:
    """The extension statements that begin in one statement, by the index of their first token."""
    body = skip_explain(tokens) if tokens else 0  # where what may be explained begins
    found: dict[int, Statement] = {}
    for index in range(body, len(tokens)):
        statement = _statement_at(tokens, index)
        if statement is None:
            continue
        if index == body or (statement.form is Form.TABLE and _query_may_start(tokens, index, body)):
            found[index] = statement
    return found


def yields(tokens: Sequence[Token]) -> bool:
    """Whether tokens are an extension statement that DuckDB parses too, as it names a table in its terms."""
    return any(
        statement.yields_to
        and len(tokens) == len(statement.words)
        and all(_word_at(tokens, index, *word.forms) for index, word in enumerate(statement.words))
        for statement in statements.LANGUAGE.statements
    )


def _statement_at(tokens: Sequence[Token], index: int) -> Statement | None:
    """The statement whose opening stands at a token, wherever that is."""
    token = tokens[index]
    if token.kind is not Kind.WORD:
        return None
    candidates = statements.LANGUAGE.by_first_word.get(token.text.upper(), ())
    return next((one for one in candidates if _opens(one, tokens, index)), None)


def _opens(statement: Statement, tokens: Sequence[Token], index: int) -> bool:
    """Whether a statement's opening stands at a token.

    The last word may be left out or misspelt where what follows tells the statement all the same: the parser then
    says what is wrong.
    """
    *parts, last = statement.opening
    for part in parts:
        after = _after(part, tokens, index)
        if after is None:
            return False
        index = after
    return (
        _after(last, tokens, index) is not None
        or _word_at(tokens, index, *statement.keywords_that_may_follow)
        or _is_singular_of(last, tokens, index)
        or _is_misspelt(statement, tokens, index)
    )


def after_opening(statement: Statement, tokens: Sequence[Token]) -> int:
    """The index after the opening of a statement that begins with the first of the tokens."""
    index = 0
    for part in statement.opening:
        index = _after(part, tokens, index) or index
    is_missing = _word_at(tokens, index, *statement.keywords_that_may_follow)
    return index if is_missing or tokens[index - 1].is_word(*statement.words[-1].forms) else index + 1


def _after(part: Part, tokens: Sequence[Token], index: int) -> int | None:
    """The index after a part of an opening that stands at a token; None where a word of it is missing."""
    if isinstance(part, Word):
        return index + 1 if _word_at(tokens, index, *part.forms) else None
    assert isinstance(part, Clause)
    if part.takes is Takes.COUNT:
        return skip_count(tokens, index)
    is_given = all(_word_at(tokens, index + place, word) for place, word in enumerate(part.words))
    return index + len(part.words) if is_given else index


def _is_singular_of(word: Part, tokens: Sequence[Token], index: int) -> bool:
    """Whether a word stands in the singular where the statement has the plural."""
    assert isinstance(word, Word)
    return word.text.endswith("S") and _word_at(tokens, index, word.text[:-1])


def _is_misspelt(statement: Statement, tokens: Sequence[Token], index: int) -> bool:
    """Whether some word stands in place of the last of an opening, and what the statement needs next follows it."""
    needed = statement.next_required
    if needed is None or index + 1 >= len(tokens) or tokens[index].kind is not Kind.WORD:
        return False
    if needed.keyword:
        return _word_at(tokens, index + 1, needed.words[0])
    return needed.takes is Takes.VALUE and skip_count(tokens, index + 1) > index + 1


def _refuse_inner_command(sql: str, tokens: Sequence[Token], index: int, body: int) -> None:
    statement = _statement_at(tokens, index)
    if statement is not None and statement.instead and _query_may_start(tokens, index, body):
        message = (
            f"Parser Error: {statement.title} is a statement by itself and stands in no other: "
            f"{statement.instead}"
        )
        raise ExtensionSyntaxError(point_at(message, sql, tokens[index].start, tokens[index].end))


def _refuse_kept(sql: str, tokens: Sequence[Token], index: int) -> None:
    """A view, macro or prepared statement would train again, or not at all, each time that it is used."""
    kept = None
    if tokens[0].is_word("PREPARE"):
        kept = ("prepared statement", "execute it with parameters instead")
    elif tokens[0].is_word("CREATE"):
        words = (t.text.lower() for t in tokens[:index] if t.is_word("VIEW", "MACRO", "FUNCTION"))
        kept = next(((word, "keep its rows with CREATE TABLE … AS") for word in words), None)
    if kept is not None:
        kind, instead = kept
        message = f"Parser Error: a {kind} cannot hold this statement, which does its work when it is run: {instead}"
        raise ExtensionSyntaxError(point_at(message, sql, tokens[index].start, tokens[index].end))


def skip_explain(tokens: Sequence[Token]) -> int:
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


def skip_count(tokens: Sequence[Token], index: int) -> int:
    """The index after a number or a parameter, if one stands at ``index``."""
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


def _end_of(tokens: Sequence[Token], index: int, statement: Statement) -> int:
    """The index after an extension statement's last token: what belongs to an outer query is not part of it."""
    if statement.form is Form.COMMAND:
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
