"""What may be written next in an extension statement, by its description and its tokens before the cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from modelstore.language import statements
from modelstore.language.description import SHARED_WORDS, Clause, Form, OneOf, Statement, Takes, Word
from modelstore.language.scanner import after_opening
from modelstore.language.tokens import Kind, Token, value_of
from modelstore.option_types import OptionType
from modelstore.options import COST_COLUMNS

_NARROW = frozenset(("model", "dataset", "encoder", "recipe", "device", "selection", "option", "value"))
_NAMED_OPTIONS = ("recipe", "encoder", "device")  # options whose values are names
# What else these words go on with, in DuckDB's own statements.
_DEFINED = ("TABLE", "VIEW", "SCHEMA", "MACRO", "INDEX", "SEQUENCE", "TYPE")
_DUCKDB_WORDS = {"CREATE": _DEFINED, "DROP": _DEFINED, "EXPORT": ("DATABASE",)}


@dataclass(frozen=True)
class Offer:
    """What may be written at a place.

    Parameters
    ----------
    kinds
        What is offered: statement, model, dataset, encoder, recipe, device, selection, table, column, expression,
        setting, file, option or value.
    words
        Words that are offered as they are.
    table
        The table whose columns are meant.
    options
        The options of an open `WITH (`.
    option
        The option whose value is due.
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


_MODEL_COLUMNS = Offer(("column",), words=COST_COLUMNS, table="models")


def beginnings() -> list[str]:
    """How each extension statement begins, up to the first thing that the user must name."""
    found = [_beginning(statement) for statement in statements.LANGUAGE.statements]
    return [*found, f"EXPLAIN {found[0]}"]


def _beginning(statement: Statement) -> str:
    words: list[str] = []
    for part in statement.syntax:
        if isinstance(part, Word):
            words.append(part.text)
        elif isinstance(part, Clause) and part.typical is not None:
            words.append(str(part.typical))
        elif isinstance(part, OneOf) or part.required:
            words += part.words if isinstance(part, Clause) else ()
            break
    return " ".join(words)


# --- while the opening is written


def next_words(before: Sequence[Token]) -> tuple[str, ...]:
    """How the statements go on that the last of the tokens may be the opening of; nothing if there are none."""
    begun: list[str] = []
    for token in reversed(before):
        if token.is_operator("(") or token.is_word("AS", "EXPLAIN", "ANALYZE"):
            break
        if token.kind is not Kind.NUMBER:  # of models or benchmarks
            begun.insert(0, token.text.upper())
    if not begun:
        return ()
    words: dict[str, None] = {}
    for statement in statements.LANGUAGE.statements:
        last = begun
        if statement.form is Form.TABLE and len(statement.words) > 2:  # also after INSERT INTO t
            last = begun[1 - len(statement.words) :]
        if statement.form is Form.COMMAND or last[0] not in SHARED_WORDS or len(last) > 1:
            rests = [phrase[len(last) :] for phrase in _openings(statement) if phrase[: len(last)] == last]
            words |= dict.fromkeys(_offered(statement, rest) for rest in rests if rest)
    if words and begun[-1] != "OR":
        words |= dict.fromkeys(_DUCKDB_WORDS.get(begun[0], ()))
    return tuple(sorted(words, key=lambda word: word.startswith("OR ")))


def _offered(statement: Statement, rest: list[str]) -> str:
    """What is offered of the rest of an opening: a keyword that may be left out stands alone."""
    keywords = [clause.words for clause in statement.clauses if clause.takes is Takes.NOTHING]
    alone = next((words for words in keywords if tuple(rest[: len(words)]) == words), rest)
    return " ".join(alone)


def _openings(statement: Statement) -> list[list[str]]:
    """Every way to write a statement's opening, in words, with the keyword that must follow."""
    found: list[list[str]] = [[]]
    for part in statement.opening:
        if isinstance(part, Word):
            found = [[*phrase, form] for phrase in found for form in part.offered]
        elif isinstance(part, Clause) and part.keyword:  # OR REPLACE, which may be left out
            found += [[*phrase, *part.words] for phrase in found]
    if statement.next_required is not None:
        return [[*phrase, *statement.next_required.words] for phrase in found]
    return [*found, _beginning(statement).split()]


def _common_length(words: Sequence[str], written: Sequence[str]) -> int:
    """How many of ``words`` the written ones begin with."""
    count = 0
    while count < min(len(words), len(written)) and words[count] == written[count]:
        count += 1
    return count


# --- after the opening


def offer_in(statement: Statement, tokens: Sequence[Token], quote: str) -> Offer | None:
    """What may follow the tokens of a statement, whose opening is among them; None where it is DuckDB's to say."""
    opened = _open_parenthesis(tokens)
    if opened is not None:
        return _offer_in_with(tokens[opened + 1 :], statement) if tokens[opened - 1].is_word("WITH") else None
    rest = tokens[after_opening(statement, tokens) :]
    clause, operand = _clause_at(statement, rest)
    if clause is None:
        return _offer_before_clauses(statement, rest)
    missing = clause.words[_common_length(clause.words, [token.text.upper() for token in operand]) :]
    if missing:
        return Offer(words=(" ".join(missing),))
    offer = _offer_in_clause(statement, clause, operand[len(clause.words) :], quote)
    if offer is _MODEL_COLUMNS and any(token.is_word("FROM") for token in rest[: -len(operand)]):
        return replace(offer, words=())  # WHERE sees what models cost to use without FROM alone
    return offer


def _clause_at(statement: Statement, rest: Sequence[Token]) -> tuple[Clause | None, Sequence[Token]]:
    """The last clause with a keyword that has begun, and its tokens from the keyword on."""
    clauses = list(statement.keyword_clauses)
    current: Clause | None = None
    start = depth = 0
    for index, token in enumerate(rest):
        depth += token.is_operator("(") - token.is_operator(")")
        found = next((clause for clause in clauses if token.is_word(clause.words[0])), None)
        if depth or found is None:
            continue
        current, start = found, index
        if current.takes is Takes.QUERY:
            break
        clauses = clauses[clauses.index(found) + 1 :]
    return current, rest[start:]


def _offer_before_clauses(statement: Statement, written: Sequence[Token]) -> Offer:
    """After the opening: words that may be left out, and operands that stand by their place alone."""
    flags: tuple[str, ...] = ()
    for part in statement.rest:
        if not isinstance(part, Clause) or part in statement.keyword_clauses:
            break
        if part.takes is Takes.NOTHING:
            given = _common_length(part.words, [token.text.upper() for token in written])
            if given and given == len(written) < len(part.words):
                return Offer(words=(" ".join(part.words[given:]),))
            if not written:
                flags = (*flags, part.keyword)
            written = written[given:] if given == len(part.words) else written
        elif not written or written[-1].is_operator(","):
            offer = _offer_operand(part, "", is_first=not written)
            optional = () if written or part.required else _keywords_after(statement, part)[:1]
            return replace(offer, words=(*offer.words, *flags, *optional))
        else:
            written = ()
    if statement.next_required is not None and statement.next_required.keyword:
        return Offer(words=(statement.next_required.keyword,))
    return Offer(words=tuple(_shown(clause) for clause in statement.keyword_clauses))


def _offer_in_clause(
    statement: Statement, clause: Clause, operand: Sequence[Token], quote: str
) -> Offer | None:
    if clause.takes is Takes.QUERY:
        return None if operand else Offer(words=("SELECT",))
    if not operand or (clause.takes is Takes.NAMES and operand[-1].is_operator(",")):
        return _offer_operand(clause, quote, is_first=not operand)
    if clause.takes is Takes.PREDICATE and (
        operand[-1].kind is Kind.OPERATOR or operand[-1].is_word("AND", "OR", "NOT", "IN")
    ):
        if not quote:
            return _MODEL_COLUMNS
        return Offer(("model",)) if compared_with(operand) in ("model", "name") else Offer()
    everything = clause.everything.split()
    given = _common_length(everything, [token.text.upper() for token in operand])
    if 0 < given < len(everything):
        return Offer(words=(" ".join(everything[given:]),))
    if quote:
        return Offer()
    following = _keywords_after(statement, clause)
    return Offer(words=("AND", "OR", "ILIKE", *following) if clause.takes is Takes.PREDICATE else following)


def _offer_operand(clause: Clause, quote: str, is_first: bool) -> Offer:
    match clause.takes:
        case Takes.PREDICATE:
            return _MODEL_COLUMNS
        case Takes.OPTIONS:
            return Offer(words=("(",))
        case Takes.RELATION:
            return Offer(("file" if quote == "'" else clause.names,))
        case _:
            everything = (clause.everything,) if clause.everything and is_first else ()
            return Offer((clause.names,) if clause.names else (), (*clause.allowed, *everything))


def _keywords_after(statement: Statement, clause: Clause) -> tuple[str, ...]:
    """The keywords of the clauses that may follow one."""
    return tuple(_shown(later) for later in statement.clauses_after(clause) if later.keyword)


def _shown(clause: Clause) -> str:
    return f"{clause.keyword} (" if clause.takes is Takes.OPTIONS else clause.keyword


def _offer_in_with(inside: Sequence[Token], statement: Statement) -> Offer:
    """Between the parentheses of `WITH (…)`: a name, then its value or a list of values, then a comma."""
    options = statement.option_types
    last = inside[-1] if inside else None
    brackets = [index for index, token in enumerate(inside) if token.is_operator("[", "]")]
    if last and brackets and inside[brackets[-1]].is_operator("["):
        if last.is_operator("[", ","):
            name = value_of(inside[max(0, brackets[-1] - 2)]).lower()
            return Offer(("recipe",)) if name == "recipes" else _offer_value(name, options)
        return Offer(words=(",", "]"))
    if last is None or last.is_operator(","):
        given = {value_of(name).lower() for name, sign in pairwise(inside) if sign.is_operator("=")}
        return Offer(("option",), options={name: kind for name, kind in options.items() if name not in given})
    if last.is_operator("=") and len(inside) > 1:
        name = value_of(inside[-2]).lower()
        return Offer(words=("[",)) if name == "recipes" else _offer_value(name, options)
    if last.is_operator("]") or (len(inside) > 1 and inside[-2].is_operator("=")):
        return Offer(words=(",", ")"))
    return Offer(words=("=",))


def _offer_value(name: str, options: Mapping[str, OptionType]) -> Offer:
    """The value of an option."""
    if name in _NAMED_OPTIONS:
        return Offer((name,))
    return Offer(("value",), option=options[name]) if name in options else Offer()


def _open_parenthesis(tokens: Sequence[Token]) -> int | None:
    """The index of the innermost parenthesis that is open at the end."""
    depth = 0
    for index in range(len(tokens) - 1, -1, -1):
        depth += tokens[index].is_operator(")") - tokens[index].is_operator("(")
        if depth < 0:
            return index
    return None


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
