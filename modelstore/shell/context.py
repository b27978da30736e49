"""Where in a statement the cursor is: what may be written there, by DuckDB's tokens before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from modelstore.language.options import (
    BENCHMARK_OPTIONS,
    CLUSTER_OPTIONS,
    CLUSTERINGS,
    COMPARE_OPTIONS,
    DATASET_OPTIONS,
    MODEL_OPTIONS,
    PROXIES,
    RECALL_OPTIONS,
    SELECT_OPTIONS,
    STRATEGIES,
    SUGGEST_OPTIONS,
    OptionType,
)
from modelstore.language.scan import starts_of_ours
from modelstore.language.tokens import Kind, Token, tokenize, value_of


@dataclass(frozen=True)
class Grammar:
    """A statement of ours: its clauses in order, and what its options and its `USING` take."""

    clauses: tuple[str, ...]
    options: Mapping[str, OptionType]
    using: tuple[str, ...] = ()


_CANDIDATES = ("FROM", "WHERE")
GRAMMARS: dict[tuple[str, ...], Grammar] = {
    ("SELECT", "BEST"): Grammar(("FOR", *_CANDIDATES, "USING", "WITH ("), SELECT_OPTIONS, STRATEGIES),
    ("RECALL",): Grammar(("FOR", *_CANDIDATES, "USING", "WITH ("), RECALL_OPTIONS, PROXIES),
    ("COMPARE",): Grammar(("ON", "WITH ("), COMPARE_OPTIONS),
    ("SUGGEST",): Grammar(("FOR MODEL", "WITH ("), SUGGEST_OPTIONS),
    ("BENCHMARK",): Grammar((*_CANDIDATES, "ON", "WITH ("), BENCHMARK_OPTIONS),
    ("CLUSTER",): Grammar((*_CANDIDATES, "USING", "WITH ("), CLUSTER_OPTIONS, CLUSTERINGS),
    ("CREATE", "MODEL"): Grammar(("FROM", "WITH ("), MODEL_OPTIONS),
    ("CREATE", "DATASET"): Grammar(("FROM", "AS", "WITH ("), DATASET_OPTIONS),
    ("DROP", "MODEL"): Grammar((), {}),
    ("DROP", "DATASET"): Grammar((), {}),
    ("RESUME",): Grammar((), {}),
}
_CLAUSES = ("FOR", "FROM", "WHERE", "USING", "ON", "WITH", "AS")
_TABLE_FOLLOWS = ("FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "SUMMARIZE", "COPY", "VIEW")
# What may follow words that begin a statement or a query of ours.
_NEXT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("SELECT", "BEST"): ("MODEL FOR", "MODELS FOR"),
    ("RECALL",): ("MODELS FOR",),
    ("COMPARE",): ("STRATEGIES", "STRATEGIES ON"),
    ("SUGGEST",): ("BENCHMARKS",),
    ("BENCHMARK",): ("MODELS", "MODELS ON"),
    ("CLUSTER",): ("MODELS",),
    ("RESUME",): ("SELECTION",),
    ("CREATE",): ("MODEL", "DATASET"),
    ("DROP",): ("MODEL", "DATASET"),
    ("ON", "ALL"): ("DATASETS",),
}


@dataclass(frozen=True)
class Context:
    """What may be written at the cursor.

    ``part`` is the begun word, without its quote; ``start`` where it begins; ``quote`` is the open quote that it
    is in, if any. ``kinds`` names what is offered: statement, model, dataset, recipe, selection, table, column,
    expression, setting, file, option. ``words`` are offered as they are. ``table`` is whose columns are meant.
    """

    part: str
    start: int
    quote: str = ""
    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    table: str | None = None
    options: Mapping[str, OptionType] = field(default_factory=dict)
    option: OptionType | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether what is offered is particular enough to be shown before a letter of it is typed."""
        return bool({"model", "dataset", "option", "selection", "value"} & {*self.kinds}) or (
            bool(self.words) and not self.kinds
        )


def context_of(text: str, rest: str = "") -> Context:
    """The context at the end of ``text``; ``rest`` is what stands after the cursor."""
    tokens = tokenize(text)
    last = max((i for i, token in enumerate(tokens) if token.is_operator(";")), default=-1)
    tokens = tokens[last + 1 :]
    part, start, quote, before = _begun(text, tokens)
    if _in_comment(text, tokens, start):
        return Context("", len(text))
    following = tokenize(rest)
    end = next((i for i, token in enumerate(following) if token.is_operator(";")), len(following))
    whole = [*before, *following[:end]]
    kinds, words, table, options, option = _offered(before, whole, quote)
    return Context(part, start, quote, kinds, words, table, options, option)


def tables_in(tokens: Sequence[Token]) -> dict[str, str]:
    """The tables that a statement names, by the alias or name that its columns go by (lower case)."""
    found: dict[str, str] = {}
    for index, token in enumerate(tokens[:-1]):
        named = tokens[index + 1]
        follows = token.is_word("FROM", "JOIN", "INTO", "UPDATE") or (
            token.is_operator(",") and _clause(tokens[:index]) == "FROM"
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


def _begun(text: str, tokens: Sequence[Token]) -> tuple[str, int, str, Sequence[Token]]:
    """The word that the cursor is at the end of, where it begins, its quote, and the tokens before it."""
    if tokens and tokens[-1].end == len(text.rstrip()):
        token = tokens[-1]
        if token.kind in (Kind.STRING, Kind.QUOTED) and token.text[0] in "'\"":
            quote = token.text[0]
            if token.text.count(quote) % 2:
                return text[token.start + 1 :], token.start + 1, quote, tokens[:-1]
        if token.end == len(text) and token.kind in (Kind.WORD, Kind.NUMBER):
            return token.text, token.start, "", tokens[:-1]
    return "", len(text), "", tokens


def _in_comment(text: str, tokens: Sequence[Token], start: int) -> bool:
    gap = text[(tokens[-1].end if tokens else text.rfind(";") + 1) : start]
    line = gap.rsplit("\n", 1)[-1]
    return "--" in line or ("/*" in gap and "*/" not in gap[gap.rfind("/*") :])


Offer = tuple[tuple[str, ...], tuple[str, ...], str | None, Mapping[str, OptionType], OptionType | None]


def _offer(
    *kinds: str,
    words: Sequence[str] = (),
    table: str | None = None,
    options: Mapping[str, OptionType] | None = None,
    option: OptionType | None = None,
) -> Offer:
    return kinds, tuple(words), table, options or {}, option


def _offered(before: Sequence[Token], whole: Sequence[Token], quote: str) -> Offer:
    if not before:
        return _offer("statement")
    last = before[-1]
    if last.is_operator("."):
        qualifier = value_of(before[-2]).lower() if len(before) > 1 else ""
        return _offer("column", table=tables_in(whole).get(qualifier, qualifier))
    began = _ours_around(before)
    if began is not None:
        found = _offered_in_ours(before[began:], quote)
        if found is not None:
            return found
    words = _next_words(before)
    if words:
        return (
            _offer("statement" if before[0] is last else "word", words=words)
            if len(before) == 1
            else _offer(words=words)
        )
    if before[0].is_word("EXPLAIN", "DESCRIBE") and len(before) == 1:
        return _offer("statement", "table")
    if before[0].is_word("SET", "RESET") and len(before) == 1:
        return _offer("setting")
    about = _compared_with(before)
    if quote == "'":
        if about in ("model", "dataset", "recipe"):
            return _offer(about)
        return (
            _offer("file")
            if last.is_word("FROM", "TO", "JOIN", "COPY") or last.is_operator("(", ",", "[")
            else _offer()
        )
    if last.is_word(*_TABLE_FOLLOWS) or (last.is_operator(",") and _clause(before[:-1]) == "FROM"):
        return _offer("table")
    if last.is_operator("("):
        return _offer("expression", words=("SELECT",))
    return _offer("expression")


def _ours_around(before: Sequence[Token]) -> int | None:
    """Where the innermost statement of ours that the cursor is in begins."""
    starts = starts_of_ours(before)
    depth = 0
    for index in range(len(before) - 1, min(starts, default=len(before)) - 1, -1):
        depth += before[index].is_operator(")") - before[index].is_operator("(")
        if depth <= 0 and index in starts:
            return index
    return None


def _grammar(ours: Sequence[Token]) -> Grammar | None:
    words = [token.text.upper() for token in ours if not token.is_word("OR", "REPLACE")]
    return next((GRAMMARS[key] for key in GRAMMARS if tuple(words[: len(key)]) == key), None)


def _offered_in_ours(ours: Sequence[Token], quote: str) -> Offer | None:
    """What may be written in one of our statements; None where it is DuckDB's to say."""
    grammar = _grammar(ours)
    if grammar is None:
        return None
    opened = _open_parenthesis(ours)
    if opened is not None:
        if ours[opened - 1].is_word("WITH"):
            return _offered_in_with(ours[opened + 1 :], grammar)
        return None
    last = ours[-1]
    if last.is_word("DROP", "CREATE", "MODEL", "DATASET", "SELECTION", "EXISTS", "BEST", "RECALL"):
        return _offered_after_verb(ours)
    clause = _clause(ours)
    operand = last.is_word(*_CLAUSES) or (last.is_operator(",") and clause in ("ON", "USING"))
    if operand:
        return _offered_operand(clause, ours, grammar, quote)
    if clause == "WHERE" and (last.kind in (Kind.OPERATOR,) or last.is_word("AND", "OR", "NOT", "IN")):
        about = _compared_with(ours)
        if quote == "'" and about in ("model", "name"):
            return _offer("model")
        return _offer("column", table="models") if not quote else _offer()
    if last.is_word("ALL"):
        return _offer(words=("DATASETS",))
    if quote:
        return _offer()
    given = {token.text.upper() for token in ours if token.is_word(*_CLAUSES)}
    position = max((i for i, name in enumerate(grammar.clauses) if name.split()[0] in given), default=-1)
    words = [name for name in grammar.clauses[position + 1 :] if name != "USING" or grammar.using]
    if clause == "WHERE":
        return _offer("column", words=("AND", "OR", "ILIKE", *words), table="models")
    return _offer(words=words)


def _offered_after_verb(ours: Sequence[Token]) -> Offer:
    first, last = ours[0], ours[-1]
    if last.is_word("SELECTION"):
        return _offer("selection")
    if first.is_word("DROP") and last.is_word("MODEL", "EXISTS") and any(t.is_word("MODEL") for t in ours):
        return _offer("model", words=("IF EXISTS",) if last.is_word("MODEL") else ())
    if first.is_word("DROP"):
        return _offer("dataset", words=("IF EXISTS",) if last.is_word("DATASET") else ())
    if first.is_word("CREATE"):
        return _offer(words=() if last.is_word("EXISTS") else ("IF NOT EXISTS",))
    return _offer(words=("FOR",))


def _offered_operand(clause: str, ours: Sequence[Token], grammar: Grammar, quote: str) -> Offer:
    creates = ours[0].is_word("CREATE")
    if clause == "FOR":
        return _offer("dataset")
    if clause == "ON":
        return _offer("dataset", words=() if ours[-1].is_operator(",") else ("ALL DATASETS",))
    if clause == "USING":
        return _offer(words=grammar.using)
    if clause == "FROM":
        return _offer("file") if creates or quote == "'" else _offer("table")
    if clause == "WHERE":
        return _offer("column", table="models")
    if clause == "AS":
        return _offer(words=("SELECT",))
    return _offer(words=("(",))


def _offered_in_with(inside: Sequence[Token], grammar: Grammar) -> Offer:
    """Between the parentheses of `WITH (…)`: a name, then its value, then a comma."""
    last = inside[-1] if inside else None
    if last is None or last.is_operator(","):
        given = {value_of(name).lower() for name, sign in pairwise(inside) if sign.is_operator("=")}
        return _offer(
            "option", options={name: kind for name, kind in grammar.options.items() if name not in given}
        )
    if last.is_operator("=") and len(inside) > 1:
        name = value_of(inside[-2]).lower()
        option = grammar.options.get(name)
        if name == "recipe":
            return _offer("recipe")
        if name == "encoder":
            return _offer("model")
        return _offer("value", option=option) if option is not None else _offer()
    if len(inside) > 1 and inside[-2].is_operator("="):
        return _offer(words=(",", ")"))
    return _offer(words=("=",))


def _open_parenthesis(tokens: Sequence[Token]) -> int | None:
    """The index of the innermost parenthesis that is open at the end."""
    depth = 0
    for index in range(len(tokens) - 1, -1, -1):
        depth += tokens[index].is_operator(")") - tokens[index].is_operator("(")
        if depth < 0:
            return index
    return None


def _clause(tokens: Sequence[Token]) -> str:
    """The last clause's keyword that is not inside parentheses which have closed, or opened since."""
    depth = 0
    for token in reversed(tokens):
        depth += token.is_operator(")") - token.is_operator("(")
        if depth < 0:
            return ""
        if depth == 0 and token.is_word(
            *_CLAUSES, "SELECT", "GROUP", "ORDER", "HAVING", "SET", "VALUES", "LIMIT"
        ):
            return token.text.upper()
    return ""


def _next_words(before: Sequence[Token]) -> tuple[str, ...]:
    words = tuple(token.text.upper() for token in before[-2:])
    starts = (
        len(before) == 1
        or before[-2].is_operator("(")
        or before[-2].is_word("AS", "EXPLAIN", "ANALYZE", "REPLACE")
    )
    if words in _NEXT:
        return _NEXT[words]
    if words[-1:] == ("BEST",) or (
        len(before) > 2 and before[-3].is_word("SELECT") and before[-2].is_word("BEST")
    ):
        return _NEXT["SELECT", "BEST"]
    return _NEXT.get(words[-1:], ()) if starts else ()


def _compared_with(before: Sequence[Token]) -> str:
    """The column whose value is being written: `column = `, `column IN (`, `column LIKE `."""
    index = len(before) - 1
    while (index > 0 and before[index].kind is Kind.STRING) or before[index].is_operator(",", "("):
        index -= 1
        if index < 0:
            return ""
    if index > 0 and (
        before[index].is_operator("=", "<>", "!=") or before[index].is_word("IN", "LIKE", "ILIKE")
    ):
        return value_of(before[index - 1]).lower()
    return ""
