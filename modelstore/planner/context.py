"""What a statement is bound against and run in."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelstore.caller import Caller
from modelstore.errors import OptionError, StoreError, did_you_mean, point_at
from modelstore.language import nodes
from modelstore.language.options import Given, OptionType, check
from modelstore.language.tokens import tokenize
from modelstore.planner.plan import Plan
from modelstore.store import Store

Span = tuple[int, int]
_result_names = itertools.count(1)


@dataclass(frozen=True)
class StatementContext:
    """One statement's surroundings: the store, where winners are saved, the text, its parameters, its caller."""

    store: Store
    checkpoints: Path
    read_only: bool
    sql: str
    caller: Caller
    parameters: dict[str, Any] = field(default_factory=dict)
    # What of the statement has run or been explained: the plan of ours at (start, end), the table of its rows.
    plans: dict[Span, Plan] = field(default_factory=dict)
    results: dict[Span, str] = field(default_factory=dict)
    # The common tables that the part of ours being run can see.
    tables: tuple[Span, ...] = ()

    def seeing(self, tables: tuple[Span, ...]) -> "StatementContext":
        """The same surroundings for a part of the statement that sees these common tables."""
        return replace(self, tables=tables)

    def check_database(self) -> None:
        """Raises ``StoreError`` where `USE` has made another database than the store the current one."""
        self.store.check_current()

    def query(self, sql: str, parameters: Any) -> duckdb.DuckDBPyConnection:
        """Runs SQL of the user's, which may name variables of the code that called us."""
        result = self.caller.run(self.store.connection.execute, sql, parameters)
        assert isinstance(result, duckdb.DuckDBPyConnection)
        return result

    def keep(self, span: Span, rows: pa.Table) -> None:
        """Puts rows in a table, which stands in the place of what of ours has given them."""
        name = f"modelstore_result_{next(_result_names)}"
        self.store.connection.register(name, rows)
        self.results[span] = name

    def is_inside_another(self, span: Span) -> bool:
        """Whether a part of ours stands inside another."""
        return any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in self.plans)

    def remaining(self, start: int, end: int) -> tuple[str, dict[str, Any]]:
        """What is left for DuckDB of the text between two offsets, and the values of its parameters."""
        values = self.parameters_where(lambda offset: start <= offset < end)
        return self.text(start, end), values

    def value_of(self, node: Any) -> Any:
        """A literal's value, or its parameter's. Raises ``duckdb.InvalidInputException`` where it is not given."""
        if not isinstance(node, nodes.Parameter):
            return node.args.get("this")
        return self._parameter(node.this, node.args["start"], node.args["end"])

    def name_of(self, node: Any) -> str:
        """A name, given as it is or by a parameter."""
        value = self.value_of(node)
        if not isinstance(value, str) or not value:
            raise OptionError(
                self.at(f"Binder Error: a name is a text that is not empty, not {value!r}", node)
            )
        return value

    def choice_of(self, node: Any, kind: str, choices: Sequence[str], valid: str) -> str:
        """One of some names, in lower case; ``kind`` and ``valid`` are an error's words for it, and for all of them.

        Raises ``OptionError``.
        """
        name = self.name_of(node).lower()
        if name not in choices:
            message = f'Binder Error: unknown {kind} "{name}"{did_you_mean(name, choices)}: {valid}'
            raise OptionError(self.at(message, node))
        return name

    def count_of(self, node: Any, of: str = "models") -> int:
        """`n` of `SELECT BEST n`, `RECALL k` or `SUGGEST k`."""
        value = self.value_of(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise OptionError(self.at(f"Binder Error: the number of {of} is 1 or more, not {value!r}", node))
        return value

    def options_of(self, statement: nodes.Extension, allowed: dict[str, OptionType]) -> dict[str, Any]:
        """The options that were given. Raises ``OptionError``."""
        given = [
            Given(
                self.name_of(option.this),
                self.value_of(option.args["value"]),
                option.this.args["start"],
                option.this.args["end"],
            )
            for option in statement.args.get("options") or []
        ]
        return check(given, allowed, self.sql)

    def at(self, message: str, node: Any) -> str:
        """``message`` with a caret under the node's place."""
        return point_at(message, self.sql, node.args["start"], node.args["end"])

    def relocated(self, error: duckdb.Error, span: nodes.Raw | None) -> duckdb.Error:
        """DuckDB's error, pointing at the span in what the user wrote instead of in our query around it."""
        message = str(error).split("\n\nLINE ", 1)[0]
        return type(error)(self.at(message, span) if span is not None else message)

    def text(self, start: int, end: int) -> str:
        """The user's SQL between two offsets, with the tables of their rows in place of those of ours that ran."""
        inside = [span for span in self.results if start <= span[0] and span[1] <= end]
        outermost = [s for s in inside if not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in inside)]
        pieces: list[str] = []
        position = start
        for span in sorted(outermost):
            pieces += [self.sql[position : span[0]], f"SELECT * FROM {self.results[span]}"]
            position = span[1]
        return "".join(pieces) + self.sql[position:end]

    def with_tables(self) -> str:
        """`WITH …` of the common tables in scope, or nothing."""
        tables = ", ".join(self.text(start, end) for start, end in self.tables)
        return f"WITH RECURSIVE {tables}\n" if tables else ""

    def parameters_in(self, *spans: nodes.Raw) -> dict[str, Any]:
        """The values that spans of the user's SQL need, when they are run in this order after `with_tables`."""
        ranges = [*self.tables, *((span.args["start"], span.args["end"]) for span in spans)]
        return self.parameters_where(lambda offset: any(start <= offset < end for start, end in ranges))

    def parameters_where(self, inside: Callable[[int], bool]) -> dict[str, Any]:
        """The values of the parameters at the offsets that are ``inside``; a `?` is numbered anew among them.

        Those of ours that have run are left out, with their parameters.
        """
        values: dict[str, Any] = {}
        marks = given = 0
        tokens = tokenize(self.sql)
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.is_operator("?"):
                given += 1
                if inside(token.start) and not self._has_run(token.start):
                    marks += 1
                    values[str(marks)] = self._parameter(str(given), token.start, token.end)
            elif token.is_operator("$") and following is not None:
                if not inside(token.start) or self._has_run(token.start):
                    continue
                values[following.text] = self._parameter(following.text, token.start, following.end)
        return values

    def _has_run(self, offset: int) -> bool:
        return any(start <= offset < end for start, end in self.results)

    def _parameter(self, key: str, start: int, end: int) -> Any:
        if key not in self.parameters:
            message = f'Invalid Input Error: no value was given for the parameter "{key}"'
            raise duckdb.InvalidInputException(point_at(message, self.sql, start, end))
        return self.parameters[key]

    def refuse_in_transaction(self, what: str) -> None:
        """Raises ``StoreError``: what trains commits as it goes, so that nothing trained is ever lost."""
        if self.store.in_transaction():
            raise StoreError(
                f"{what} commits what it trains as it goes, so it cannot run inside BEGIN: COMMIT first"
            )
