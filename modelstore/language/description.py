"""The terms in which an extension statement is described: its words, clauses, options and result columns.

`modelstore.language.statements` holds the descriptions. Scanner, parser, near misses, dispatch, completion,
highlighting, EXPLAIN, DESCRIBE and the SQL reference read them.

What a description takes from other modules (options, choices, the planner) it names as ``module:name``, and it is
loaded when it is first needed: every process that opens a store loads the descriptions, and few run the statements.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelstore.option_types import OptionType

# Words that begin statements of DuckDB as well, or are often names there, so that they alone do not tell an extension
# statement.
SHARED_WORDS = ("SELECT", "CREATE", "DROP", "EXPORT", "LIST", "IMPORT", "SHOW")


def load(place: str) -> Any:
    """What ``module:name`` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Form(Enum):
    """Where a statement may stand."""

    TABLE = "table expression"  # wherever a query may
    COMMAND = "command"  # by itself only


class Takes(Enum):
    """What a clause takes after its keyword."""

    NOTHING = "nothing"
    COUNT = "a whole number"
    VALUE = "a literal"
    NAME = "a name"
    NAMES = "names, separated by commas"
    RELATION = "a table, a view or a query in parentheses"
    PREDICATE = "a predicate"
    QUERY = "a query"
    OPTIONS = "options"

    @property
    def is_duckdb(self) -> bool:
        """Whether it is DuckDB's own SQL, which stays as the user wrote it."""
        return self in (Takes.RELATION, Takes.PREDICATE, Takes.QUERY)


@dataclass(frozen=True, eq=False)
class Word:
    """A word that a statement opens with.

    Parameters
    ----------
    text
        The word in upper case.
    also
        Other forms of it, which completion offers too.
    accepts
        Forms that are read and not offered.
    """

    text: str
    also: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()

    @property
    def offered(self) -> tuple[str, ...]:
        """Every form that completion offers."""
        return (self.text, *self.also)

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form that is read."""
        return (*self.offered, *self.accepts)


@dataclass(frozen=True, eq=False)
class Clause:
    """A clause: a keyword and what follows it.

    Parameters
    ----------
    argument
        The name under which the planner finds what was written (an argument of the statement's node).
    takes
        What follows the keyword.
    keyword
        One or more words in upper case; empty where the operand stands by its place alone.
    required
        Whether the statement needs the clause.
    shown
        What stands for the operand in a synopsis.
    expected
        What the operand is, for an error message.
    names
        The kind of thing that is named, for completion: ``dataset``, ``model``, ``selection``, ``file`` or ``table``.
    choices
        ``module:name`` of the names that are taken, where they are fixed.
    everything
        Words that stand for all names, like ``ALL DATASETS``.
    typical
        A number to offer where the clause takes a count and most people give one.
    help
        One line for the SQL reference.
    """

    argument: str
    takes: Takes
    keyword: str = ""
    required: bool = False
    shown: str = ""
    expected: str = ""
    names: str = ""
    choices: str = ""
    everything: str = ""
    typical: int | None = None
    help: str = ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the keyword."""
        return tuple(self.keyword.split())

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """The names that are taken; empty where they are not fixed."""
        return tuple(load(self.choices)) if self.choices else ()


@dataclass(frozen=True, eq=False)
class OneOf:
    """Clauses of which a statement takes exactly one."""

    clauses: tuple[Clause, ...]


Part = Word | Clause | OneOf


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a statement's rows; ``type`` is DuckDB's name of it."""

    name: str
    type: str
    help: str


WITH = Clause("options", Takes.OPTIONS, "WITH", shown="(option = value, …)", help="Options, listed below.")
AS_COPY = Clause(  # as DuckDB's COPY and EXPORT DATABASE take theirs
    "options",
    Takes.OPTIONS,
    shown="(option value, …)",
    expected="(",
    help="Options, listed below. As in `COPY`, `WITH` may stand before them, and `=` and quotes are free.",
)


@dataclass(frozen=True, eq=False)
class Statement:
    """The description of one extension statement.

    Parameters
    ----------
    syntax
        Words and clauses in the order in which they are written; `WITH (…)` is added where there are ``options``.
    form
        Where the statement may stand. ``DESCRIBE`` takes every table expression.
    planner
        ``module:function`` of the planner: it takes a ``StatementContext`` and the parsed node.
    has_plan
        Whether the planner returns a ``Plan``, which EXPLAIN shows; else it does its work at once and returns rows
        or None.
    options
        ``module:name`` of the options class of its `WITH` clause.
    options_as_copy
        Whether the options are written as those of DuckDB's `COPY` are: `(FORMAT onnx)`.
    columns
        The columns of its rows; none where it returns nothing.
    help
        One line that says what it does.
    details
        A short paragraph.
    example
        A statement that runs.
    instead
        Where it is refused inside another statement: what to do instead.
    yields_to
        For a statement that DuckDB can parse too: the name of the table that makes it DuckDB's where there is one.
    """

    syntax: tuple[Part, ...]
    form: Form
    planner: str
    help: str
    details: str
    example: str
    columns: tuple[Column, ...] = ()
    options: str = ""
    options_as_copy: bool = False
    has_plan: bool = True
    instead: str = ""
    yields_to: str = ""

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The syntax with the clause of its options."""
        options = AS_COPY if self.options_as_copy else WITH
        return (*self.syntax, options) if self.options else self.syntax

    @cached_property
    def option_types(self) -> "dict[str, OptionType]":
        """What its `WITH` clause takes, by name."""
        types: dict[str, OptionType] = load(self.options).schema() if self.options else {}
        return types

    @cached_property
    def opening(self) -> tuple[Part, ...]:
        """The parts up to the last word, which together tell the statement."""
        last = max(place for place, part in enumerate(self.syntax) if isinstance(part, Word))
        return self.syntax[: last + 1]

    @cached_property
    def rest(self) -> tuple[Part, ...]:
        """The parts after the opening."""
        return self.parts[len(self.opening) :]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the opening."""
        return tuple(part for part in self.opening if isinstance(part, Word))

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """All clauses in order, alternatives one after another."""
        return _flat(self.parts)

    @cached_property
    def keyword_clauses(self) -> tuple[Clause, ...]:
        """The clauses after the opening that a keyword begins and an operand follows."""
        return tuple(
            clause for clause in _flat(self.rest) if clause.keyword and clause.takes is not Takes.NOTHING
        )

    @cached_property
    def next_required(self) -> Clause | None:
        """The clause that must follow the opening at once, if there is one."""
        first = self.rest[0] if self.rest else None
        return first if isinstance(first, Clause) and first.required else None

    @cached_property
    def title(self) -> str:
        """The words by which messages and the reference name the statement."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def short_title(self) -> str:
        """The title without its last word: `SELECT BEST`, `RECALL`."""
        return " ".join(word.text for word in self.words[:-1]) or self.title

    @cached_property
    def keywords_that_may_follow(self) -> tuple[str, ...]:
        """Keywords before which a forgotten last word of the opening is an error of this statement.

        They are few for a table expression: `SELECT best FROM t` is DuckDB's.
        """
        if self.next_required is not None:
            return self.next_required.words[:1]
        first = self.rest[0] if self.rest else None
        is_clause = isinstance(first, Clause) and first in self.keyword_clauses
        if self.form is Form.TABLE or not is_clause:
            return ()
        return tuple(clause.words[0] for clause in self.keyword_clauses)

    def clauses_after(self, clause: Clause) -> tuple[Clause, ...]:
        """The clauses that may be written after one, of which it has no alternative."""
        [place] = [place for place, part in enumerate(self.parts) if clause in _flat((part,))]
        return _flat(self.parts[place + 1 :])


def _flat(parts: tuple[Part, ...]) -> tuple[Clause, ...]:
    clauses: list[Clause] = []
    for part in parts:
        if isinstance(part, OneOf):
            clauses += part.clauses
        elif isinstance(part, Clause):
            clauses.append(part)
    return tuple(clauses)


@dataclass(frozen=True, eq=False)
class Language:
    """All extension statements, and what is derived from them together."""

    statements: tuple[Statement, ...]

    @cached_property
    def by_first_word(self) -> dict[str, tuple[Statement, ...]]:
        """The statements that may begin with a word (upper case)."""
        found: dict[str, tuple[Statement, ...]] = {}
        for statement in self.statements:
            for form in statement.words[0].forms:
                found[form] = (*found.get(form, ()), statement)
        return found

    @cached_property
    def opening_words(self) -> tuple[str, ...]:
        """The words that may stand in an opening, or must follow it."""
        found: dict[str, None] = {"EXPLAIN": None, "ANALYZE": None}
        for statement in self.statements:
            for part in statement.opening:
                found |= dict.fromkeys(part.forms if isinstance(part, Word) else _flat((part,))[0].words)
            if statement.next_required is not None:
                found |= dict.fromkeys(statement.next_required.words)
        return tuple(found)

    @cached_property
    def keywords(self) -> tuple[str, ...]:
        """Every word that an extension statement has for a keyword."""
        found: dict[str, None] = {}
        for statement in self.statements:
            for word in statement.words:
                found |= dict.fromkeys(word.forms)
            for clause in statement.clauses:
                found |= dict.fromkeys((*clause.words, *clause.everything.split()))
        return tuple(found)

    @cached_property
    def may_yield(self) -> "re.Pattern[str]":
        """Matches in every text with a statement that DuckDB parses too: it looks for its first word."""
        words = {form for one in self.statements if one.yields_to for form in one.words[0].forms}
        return re.compile(rf"\b(?:{'|'.join(sorted(words))})\b", re.IGNORECASE)

    @cached_property
    def may_be_in(self) -> "re.Pattern[str]":
        """Matches in every text that holds an extension statement, and in little else.

        It looks for the first word of each opening that does not begin DuckDB's own statements.
        """
        words = {
            form
            for statement in self.statements
            for form in next(
                (word for word in statement.words if word.text not in SHARED_WORDS), statement.words[0]
            ).forms
        }
        return re.compile(rf"\b(?:{'|'.join(sorted(words))})\b", re.IGNORECASE)
