"""Which common tables a query inside a statement can see."""

from collections.abc import Sequence

from modelstore.language.tokens import Kind, Token

Span = tuple[int, int]


def common_tables(tokens: Sequence[Token], index: int) -> tuple[Span, ...]:
    """The spans (character offsets) of the common tables in scope at a token, in order.

    They are those that stand complete before it in the `WITH` of its own query and of the queries around.
    """
    spans: list[Span] = []
    for start in _enclosing_starts(tokens, index):
        if tokens[start].is_word("WITH"):
            spans.extend(_tables_of(tokens, start + 1, index))
    return tuple(spans)


def _enclosing_starts(tokens: Sequence[Token], index: int) -> list[int]:
    """Where each query around a token begins, outermost first: the statement, and after each open parenthesis."""
    starts = [0]
    for position in range(index):
        if tokens[position].is_operator("("):
            starts.append(position + 1)
        elif tokens[position].is_operator(")") and len(starts) > 1:
            starts.pop()
    # CREATE TABLE … AS WITH, INSERT INTO … WITH, EXPLAIN WITH: the query begins where WITH does.
    first = next((i for i in range(index) if tokens[i].is_word("WITH") and _opens_tables(tokens, i)), None)
    if first is not None and not tokens[0].is_word("WITH") and _depth(tokens, first) == 0:
        starts[0] = first
    return starts


def _opens_tables(tokens: Sequence[Token], index: int) -> bool:
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    return following is not None and following.kind in (Kind.WORD, Kind.QUOTED)


def _depth(tokens: Sequence[Token], index: int) -> int:
    return sum(t.is_operator("(") - t.is_operator(")") for t in tokens[:index])


def _tables_of(tokens: Sequence[Token], position: int, index: int) -> list[Span]:
    """The common tables of a `WITH` that end before a token."""
    if position < len(tokens) and tokens[position].is_word("RECURSIVE"):
        position += 1
    spans: list[Span] = []
    first, depth = position, 0
    while position < index:
        token = tokens[position]
        depth += token.is_operator("(") - token.is_operator(")")
        if depth < 0:
            break
        if depth == 0 and token.is_operator(")"):
            following = tokens[position + 1] if position + 1 < len(tokens) else None
            if following is None or not following.is_word("AS"):  # not the columns of `name (a, b) AS (…)`
                spans.append((tokens[first].start, token.end))
                if following is None or not following.is_operator(","):
                    break
                first = position + 2
        position += 1
    return spans
