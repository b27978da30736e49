"""Where in a text the cursor is, by DuckDB's tokens before it: the word that is begun, what may be written there."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelstore.language.description import Statement
from modelstore.language.scanner import extension_starts
from modelstore.language.tokens import Kind, Token, tokenize, value_of
from modelstore.shell.completion.grammar import Offer, compared_with, next_words, offer_in

_TABLE_FOLLOWS = ("FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "SUMMARIZE", "COPY", "VIEW", "CALL")
_CLAUSES = (
    "SELECT",
    "FROM",
    "WHERE",
    "USING",
    "ON",
    "WITH",
    "AS",
    "GROUP",
    "ORDER",
    "HAVING",
    "SET",
    "VALUES",
    "LIMIT",
)
_FILE_FOLLOWS = ("FROM", "TO", "JOIN", "COPY", "ATTACH", "DATABASE", "LOAD")


@dataclass(frozen=True)
class Context:
    """The word that is begun at the cursor, without its quote; the quote, if one is open; what is offered there."""

    part: str
    quote: str
    offer: Offer


def context_of(text: str, rest: str = "") -> Context:
    """The context at the end of ``text``; ``rest`` is what stands after the cursor."""
    tokens = tokenize(text)
    last = max((i for i, token in enumerate(tokens) if token.is_operator(";")), default=-1)
    tokens = tokens[last + 1 :]
    part, quote, before = _begun(text, tokens)
    if _in_comment(text, tokens):
        return Context("", "", Offer())
    following = tokenize(rest)
    end = next((i for i, token in enumerate(following) if token.is_operator(";")), len(following))
    offer = _offer(before, [*before, *following[:end]], quote)
    is_number = part[:1].isdigit() and not quote and "selection" not in offer.kinds
    return Context(part, quote, Offer() if is_number else offer)


def tables_in(tokens: Sequence[Token]) -> dict[str, str]:
    """The tables that a statement names, by the alias or name that its columns go by (lower case)."""
    found: dict[str, str] = {}
    for index, token in enumerate(tokens[:-1]):
        named = tokens[index + 1]
        follows = token.is_word("FROM", "JOIN", "INTO", "UPDATE") or (
            token.is_operator(",") and _clause_of(tokens[:index]) == "FROM"
        )
        if not follows or named.kind not in (Kind.WORD, Kind.QUOTED):
            continue
        position = index + 2
        while position + 1 < len(tokens) and tokens[position].is_operator("."):
            named = tokens[position + 1]
            position += 2
        name = value_of(named)
        found[name.lower()] = name
        if position < len(tokens) and tokens[position].is_word("AS"):
            position += 1
        if position < len(tokens) and tokens[position].kind in (Kind.WORD, Kind.QUOTED):
            found.setdefault(value_of(tokens[position]).lower(), name)
    return found


def _begun(text: str, tokens: Sequence[Token]) -> tuple[str, str, Sequence[Token]]:
    """The word that the cursor is at the end of, its quote, and the tokens before it."""
    if tokens and tokens[-1].end == len(text.rstrip()):
        token = tokens[-1]
        if token.kind in (Kind.STRING, Kind.QUOTED) and token.text[0] in "'\"":
            quote = token.text[0]
            if token.text.count(quote) % 2:
                return text[token.start + 1 :], quote, tokens[:-1]
        if token.end == len(text) and token.kind in (Kind.WORD, Kind.NUMBER):
            return token.text, "", tokens[:-1]
    return "", "", tokens


def _in_comment(text: str, tokens: Sequence[Token]) -> bool:
    gap = text[(tokens[-1].end if tokens else text.rfind(";") + 1) :]
    line = gap.rsplit("\n", 1)[-1]
    return "--" in line or ("/*" in gap and "*/" not in gap[gap.rfind("/*") :])


def _offer(before: Sequence[Token], whole: Sequence[Token], quote: str) -> Offer:
    """What may follow tokens; ``whole`` is all of their statement."""
    if not before or before[-1].is_word("EXPLAIN", "ANALYZE"):
        return Offer(("statement",))
    last = before[-1]
    if last.is_operator("."):
        qualifier = value_of(before[-2]).lower() if len(before) > 1 else ""
        return Offer(("column",), table=tables_in(whole).get(qualifier, qualifier))
    around = _extension_around(before)
    found = offer_in(around[0], around[1], quote) if around is not None else None
    if found is not None:
        return found
    if quote == "'":
        return _offer_string(before)
    words = next_words(before)
    if words:
        return Offer(words=words)
    if len(before) == 1 and last.is_word("SET", "RESET", "PRAGMA"):
        return Offer(("setting",))
    if last.is_word(*_TABLE_FOLLOWS) or (last.is_operator(",") and _clause_of(before[:-1]) == "FROM"):
        return Offer(("table",))
    return Offer(("expression",), words=("SELECT",) if last.is_operator("(") else ())


def _offer_string(before: Sequence[Token]) -> Offer:
    """What a string in DuckDB's SQL may be, also in a subquery of an extension statement."""
    last, about = before[-1], compared_with(before)
    if about in ("model", "dataset", "recipe"):
        return Offer((about,))
    if about == "name":
        tables = tables_in(before).values()
        if "datasets" in tables:
            return Offer(("dataset",))
        return Offer(("model",)) if "models" in tables or _extension_around(before) is not None else Offer()
    if last.is_word(*_FILE_FOLLOWS) or last.is_operator("(", ",", "["):
        return Offer(("file",))
    return Offer()


def _extension_around(before: Sequence[Token]) -> tuple[Statement, Sequence[Token]] | None:
    """The innermost extension statement that the cursor is in, and its tokens."""
    starts = extension_starts(before)
    depth = 0
    for index in range(len(before) - 1, min(starts, default=len(before)) - 1, -1):
        depth += before[index].is_operator(")") - before[index].is_operator("(")
        if depth <= 0 and index in starts:
            return starts[index], before[index:]
    return None


def _clause_of(tokens: Sequence[Token]) -> str:
    """The last clause's keyword that is not inside parentheses which have closed, or opened since."""
    depth = 0
    for token in reversed(tokens):
        depth += token.is_operator(")") - token.is_operator("(")
        if depth < 0:
            return ""
        if depth == 0 and token.is_word(*_CLAUSES):
            return token.text.upper()
    return ""
