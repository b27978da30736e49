"""A statement's text as DuckDB gets it: tables of rows stand in the place of extension statements that have run."""

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import duckdb

from modelstore.errors import point_at
from modelstore.language import nodes
from modelstore.language.tokens import Token

Span = tuple[int, int]
_result_names = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class StatementText:
    """The text of a script, the values of its parameters, and the tables that stand for parts of it.

    Parameters
    ----------
    sql
        The whole script; spans are character offsets in it.
    tokens
        Those of the statement.
    parameters
        The values of the last statement's parameters, by name, or by number from 1.
    results
        The table of rows that stands for the extension statement at a span.
    tables
        The spans of the common tables (`name AS (…)`) that the part being run can see.
    """

    sql: str
    tokens: tuple[Token, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    results: dict[Span, str] = field(default_factory=dict)
    tables: tuple[Span, ...] = ()

    def put_table(self, span: Span) -> str:
        """Puts a table in the place of the extension statement at a span, and returns its new name."""
        name = self.results[span] = f"modelstore_result_{next(_result_names)}"
        return name

    def text(self, start: int, end: int) -> str:
        """The SQL between two offsets, with a query of its table for each extension statement that has run."""
        pieces: list[str] = []
        position = start
        for span in outermost([span for span in self.results if start <= span[0] and span[1] <= end]):
            pieces += [self.sql[position : span[0]], f"SELECT * FROM {self.results[span]}"]
            position = span[1]
        return "".join(pieces) + self.sql[position:end]

    def original_offset(self, offset: int, start: int, end: int) -> int:
        """The offset in the script of an offset in `text` between two offsets; a table's is that of its statement."""
        position = start
        for span in outermost([span for span in self.results if start <= span[0] and span[1] <= end]):
            before, table = span[0] - position, len(f"SELECT * FROM {self.results[span]}")
            if offset < before:
                return position + offset
            if offset < before + table:
                return span[0]
            offset -= before + table
            position = span[1]
        return min(position + offset, end)

    def without_tables(self, message: str) -> str:
        """A message with what the user wrote in the place of the tables that stand for it."""
        for (start, end), name in self.results.items():
            written = " ".join(self.sql[start:end].split())
            shown = written if len(written) <= 60 else f"{written[:59]}…"
            message = message.replace(f"{name}.", "").replace(name, f"({shown})")
        return message

    def with_tables(self) -> str:
        """`WITH …` of the common tables in scope, or nothing."""
        tables = ", ".join(self.text(start, end) for start, end in self.tables)
        return f"WITH RECURSIVE {tables}\n" if tables else ""

    def remaining(self, start: int, end: int) -> tuple[str, dict[str, Any]]:
        """What is left for DuckDB of the text between two offsets, and the values of its parameters."""
        values = self.parameters_where(lambda offset: start <= offset < end)
        return self.text(start, end), values

    def parameters_in(self, *spans: nodes.Raw) -> dict[str, Any]:
        """The values that spans of the user's SQL need, when they are run in this order after `with_tables`."""
        ranges = [*self.tables, *((span.args["start"], span.args["end"]) for span in spans)]
        return self.parameters_where(lambda offset: any(start <= offset < end for start, end in ranges))

    def parameters_where(self, inside: Callable[[int], bool]) -> dict[str, Any]:
        """The values of the parameters at the offsets that are ``inside``; each `?` gets its number among them.

        Parameters of extension statements that have run are left out.
        """

        def is_left(offset: int) -> bool:
            return inside(offset) and not any(start <= offset < end for start, end in self.results)

        values: dict[str, Any] = {}
        marks = given = 0
        for token, following in zip(self.tokens, [*self.tokens[1:], None], strict=True):
            if token.is_operator("?"):
                given += 1
                if is_left(token.start):
                    marks += 1
                    values[str(marks)] = self.parameter(str(given), token.start, token.end)
            elif token.is_operator("$") and following is not None and is_left(token.start):
                values[following.text] = self.parameter(following.text, token.start, following.end)
        return values

    def parameter(self, key: str, start: int, end: int) -> Any:
        """A parameter's value. Raises ``duckdb.InvalidInputException`` where none was given."""
        if key not in self.parameters:
            message = f'Invalid Input Error: no value was given for the parameter "{key}"'
            raise duckdb.InvalidInputException(point_at(message, self.sql, start, end))
        return self.parameters[key]


def outermost(spans: Collection[Span]) -> list[Span]:
    """The spans that stand in no other, in order."""
    return sorted(
        span
        for span in spans
        if not any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in spans)
    )
