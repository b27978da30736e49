"""What may be written next in a statement of ours, by the tokens of it that stand before the cursor."""

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
from modelstore.language.tokens import Kind, Token, value_of

_NARROW = frozenset(("model", "dataset", "encoder", "recipe", "device", "selection", "option", "value"))


@dataclass(frozen=True)
class Offer:
    """What may be written at a place.

    ``kinds`` names what is offered: statement, model, dataset, encoder, recipe, device, selection, table, column,
    expression, setting, file, option, value. ``words`` are offered as they are. ``table`` is whose columns are
    meant, ``options`` those of an open `WITH (`, ``option`` the one whose value is due.
    """

    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    table: str | None = None
    options: Mapping[str, OptionType] = field(default_factory=dict)
    option: OptionType | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it is particular enough to be shown before a letter of it is typed."""
        return (not self.kinds and bool(self.words)) or not _NARROW.isdisjoint(self.kinds)


@dataclass(frozen=True)
class _Grammar:
    """A statement of ours: its clauses in order, and what its options and its `USING` take."""

    clauses: tuple[str, ...]
    options: Mapping[str, OptionType]
    using: tuple[str, ...] = ()


_CANDIDATES = ("FROM", "WHERE")
_GRAMMARS: dict[tuple[str, ...], _Grammar] = {
    ("SELECT", "BEST"): _Grammar(("FOR", *_CANDIDATES, "USING", "WITH ("), SELECT_OPTIONS, STRATEGIES),
    ("RECALL",): _Grammar(("FOR", *_CANDIDATES, "USING", "WITH ("), RECALL_OPTIONS, PROXIES),
    ("COMPARE",): _Grammar(("ON", "WITH ("), COMPARE_OPTIONS),
    ("SUGGEST",): _Grammar(("FOR MODEL", "WITH ("), SUGGEST_OPTIONS),
    ("BENCHMARK",): _Grammar((*_CANDIDATES, "ON", "WITH ("), BENCHMARK_OPTIONS),
    ("CLUSTER",): _Grammar((*_CANDIDATES, "USING", "WITH ("), CLUSTER_OPTIONS, CLUSTERINGS),
    ("CREATE", "MODEL"): _Grammar(("FROM", "WITH ("), MODEL_OPTIONS),
    ("CREATE", "DATASET"): _Grammar(("FROM", "AS", "WITH ("), DATASET_OPTIONS),
    ("DROP", "MODEL"): _Grammar((), {}),
    ("DROP", "DATASET"): _Grammar((), {}),
    ("RESUME",): _Grammar((), {}),
}
_CLAUSES = ("FOR", "FROM", "WHERE", "USING", "ON", "WITH", "AS")
_DEFINED = ("MODEL", "DATASET", "TABLE", "VIEW", "SCHEMA", "MACRO", "INDEX", "SEQUENCE", "TYPE")
# What may follow words that begin a statement or a query of ours, and do not yet say which.
_NEXT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("SELECT", "BEST"): ("MODEL FOR", "MODELS FOR"),
    ("RECALL",): ("MODELS FOR",),
    ("COMPARE",): ("STRATEGIES", "STRATEGIES ON"),
    ("SUGGEST",): ("BENCHMARKS",),
    ("BENCHMARK",): ("MODELS", "MODELS ON"),
    ("CLUSTER",): ("MODELS",),
    ("RESUME",): ("SELECTION",),
    ("CREATE",): (*_DEFINED, "OR REPLACE"),
    ("CREATE", "OR", "REPLACE"): _DEFINED,
    ("DROP",): _DEFINED,
}


def next_words(before: Sequence[Token]) -> tuple[str, ...]:
    """How a statement or a query of ours goes on that is begun by the last of the tokens; nothing if none is."""
    begun: list[str] = []
    for token in reversed(before):
        if token.is_operator("(") or token.is_word("AS", "EXPLAIN", "ANALYZE"):
            break
        if token.kind is not Kind.NUMBER:  # of models or benchmarks
            begun.insert(0, token.text.upper())
    if begun[-2:] == ["SELECT", "BEST"]:  # as after INSERT INTO t
        return _NEXT["SELECT", "BEST"]
    return _NEXT.get(tuple(begun), ())


def offer_in(ours: Sequence[Token], quote: str) -> Offer | None:
    """What may follow these tokens of a statement of ours; None where it is DuckDB's to say."""
    grammar = _grammar_of(ours)
    if grammar is None:
        return None
    opened = _open_parenthesis(ours)
    if opened is not None:
        return _offer_in_with(ours[opened + 1 :], grammar) if ours[opened - 1].is_word("WITH") else None
    given = [token.text.upper() for token in ours if token.is_word(*_CLAUSES)]
    last = ours[-1]
    if not given:
        return _offer_before_clauses(ours, grammar)
    if ours[0].is_word("SUGGEST") and last.is_word("FOR", "MODEL"):
        return Offer(words=("MODEL",)) if last.is_word("FOR") else Offer(("model",))
    clause = clause_of(ours)
    if last.is_word(*_CLAUSES) or (last.is_operator(",") and clause in ("ON", "USING")):
        return _offer_operand(clause, ours, grammar, quote)
    if "AS" in given:
        return None
    if clause == "WHERE" and (last.kind is Kind.OPERATOR or last.is_word("AND", "OR", "NOT", "IN")):
        return _offer_in_where(ours, quote)
    if last.is_word("ALL"):
        return Offer(words=("DATASETS",))
    if quote:
        return Offer()
    done = max(i for i, name in enumerate(grammar.clauses) if name.split()[0] in given)
    words = [name for name in grammar.clauses[done + 1 :] if name != "USING" or grammar.using]
    return Offer(words=("AND", "OR", "ILIKE", *words) if clause == "WHERE" else tuple(words))


def _grammar_of(ours: Sequence[Token]) -> _Grammar | None:
    words = [token.text.upper() for token in ours if not token.is_word("OR", "REPLACE")]
    return next((_GRAMMARS[key] for key in _GRAMMARS if tuple(words[: len(key)]) == key), None)


def _offer_before_clauses(ours: Sequence[Token], grammar: _Grammar) -> Offer:
    """After the words that a statement begins with, and the name of what it defines."""
    first, last = ours[0], ours[-1]
    creates, drops = first.is_word("CREATE"), first.is_word("DROP")
    if last.is_word("SELECTION"):
        return Offer(("selection",))
    if last.is_word("IF", "NOT"):
        return Offer(words=("NOT EXISTS",) if creates and last.is_word("IF") else ("EXISTS",))
    if drops and last.is_word("MODEL", "DATASET", "EXISTS"):
        kind = "model" if any(token.is_word("MODEL") for token in ours) else "dataset"
        return Offer((kind,), words=() if last.is_word("EXISTS") else ("IF EXISTS",))
    if creates and last.is_word("MODEL", "DATASET", "EXISTS"):
        return Offer(words=() if last.is_word("EXISTS") else ("IF NOT EXISTS",))
    if last.is_word("STRATEGIES") or last.is_operator(","):
        return Offer(words=(*STRATEGIES, *(("ON",) if last.is_word("STRATEGIES") else ())))
    if grammar.clauses[:1] == ("FOR",):
        return Offer(words=("FOR",))
    return Offer(words=grammar.clauses)


def _offer_operand(clause: str, ours: Sequence[Token], grammar: _Grammar, quote: str) -> Offer:
    creates = ours[0].is_word("CREATE")
    if clause == "FOR":
        return Offer(("dataset",))
    if clause == "ON":
        return Offer(("dataset",), words=() if ours[-1].is_operator(",") else ("ALL DATASETS",))
    if clause == "USING":
        return Offer(words=grammar.using)
    if clause == "FROM":
        return Offer(("file",) if creates or quote == "'" else ("table",))
    if clause == "WHERE":
        return Offer(("column",), table="models")
    if clause == "AS":
        return Offer(words=("SELECT",))
    return Offer(words=("(",))


def _offer_in_where(ours: Sequence[Token], quote: str) -> Offer:
    if not quote:
        return Offer(("column",), table="models")
    return Offer(("model",)) if compared_with(ours) in ("model", "name") else Offer()


def _offer_in_with(inside: Sequence[Token], grammar: _Grammar) -> Offer:
    """Between the parentheses of `WITH (…)`: a name, then its value, then a comma."""
    last = inside[-1] if inside else None
    if last is None or last.is_operator(","):
        given = {value_of(name).lower() for name, sign in pairwise(inside) if sign.is_operator("=")}
        left = {name: kind for name, kind in grammar.options.items() if name not in given}
        return Offer(("option",), options=left)
    if last.is_operator("=") and len(inside) > 1:
        name = value_of(inside[-2]).lower()
        if name in ("recipe", "encoder", "device"):
            return Offer((name,))
        option = grammar.options.get(name)
        return Offer() if option is None else Offer(("value",), option=option)
    if len(inside) > 1 and inside[-2].is_operator("="):
        return Offer(words=(",", ")"))
    return Offer(words=("=",))


def _open_parenthesis(tokens: Sequence[Token]) -> int | None:
    """The index of the innermost parenthesis that is open at the end."""
    depth = 0
    for index in range(len(tokens) - 1, -1, -1):
        depth += tokens[index].is_operator(")") - tokens[index].is_operator("(")
        if depth < 0:
            return index
    return None


def clause_of(tokens: Sequence[Token]) -> str:
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


def compared_with(before: Sequence[Token]) -> str:
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
