"""What a statement is bound against and run in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from modelstore.errors import OptionError, StoreError, point_at
from modelstore.language import expressions as ours
from modelstore.language.options import Given, OptionType, check
from modelstore.language.tokens import tokenize
from modelstore.store import Store


@dataclass(frozen=True)
class Session:
    """One statement's surroundings: the store, where winners are saved, the text and its parameters."""

    store: Store
    checkpoints: Path
    read_only: bool
    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def value_of(self, node: Any) -> Any:
        """A literal's value, or its parameter's. Raises ``duckdb.InvalidInputException`` where it is not given."""
        if not isinstance(node, ours.Parameter):
            return node.args.get("this")
        key = node.this
        if key not in self.parameters:
            message = f'Invalid Input Error: no value was given for the parameter "{key}"'
            raise duckdb.InvalidInputException(self.at(message, node))
        return self.parameters[key]

    def name_of(self, node: Any) -> str:
        """A name, given as it is or by a parameter."""
        value = self.value_of(node)
        if not isinstance(value, str) or not value:
            raise OptionError(
                self.at(f"Binder Error: a name is a text that is not empty, not {value!r}", node)
            )
        return value

    def count_of(self, node: Any) -> int:
        """`n` of `SELECT BEST n` or `RECALL k`."""
        value = self.value_of(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise OptionError(
                self.at(f"Binder Error: the number of models is 1 or more, not {value!r}", node)
            )
        return value

    def options_of(self, statement: ours.Extension, allowed: dict[str, OptionType]) -> dict[str, Any]:
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

    def relocated(self, error: duckdb.Error, span: ours.Raw | None) -> duckdb.Error:
        """DuckDB's error, pointing at the span in what the user wrote instead of in our query around it."""
        message = str(error).split("\n\nLINE ", 1)[0]
        return type(error)(self.at(message, span) if span is not None else message)

    def parameters_in(self, raw: ours.Raw) -> dict[str, Any] | list[Any]:
        """The values that a span of the user's SQL needs, when it is run by itself."""
        start, end = raw.args["start"], raw.args["end"]
        values: dict[str, Any] = {}
        marks = 0
        seen = 0
        tokens = tokenize(self.sql)
        for position, token in enumerate(tokens):
            if token.is_operator("?"):
                seen += 1
            if not start <= token.start < end:
                continue
            if token.is_operator("?"):
                marks += 1
                values[str(marks)] = self._parameter(str(seen), raw)
            elif token.is_operator("$") and position + 1 < len(tokens):
                key = tokens[position + 1].text
                values[key] = self._parameter(key, raw)
        return values

    def _parameter(self, key: str, node: ours.Raw) -> Any:
        if key not in self.parameters:
            message = f'Invalid Input Error: no value was given for the parameter "{key}"'
            raise duckdb.InvalidInputException(self.at(message, node))
        return self.parameters[key]

    def refuse_in_transaction(self, what: str) -> None:
        """Raises ``StoreError``: what trains commits as it goes, so that nothing trained is ever lost."""
        if self.store.in_transaction():
            raise StoreError(
                f"{what} commits what it trains as it goes, so it cannot run inside BEGIN: COMMIT first"
            )
