"""What a statement is bound against and run in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from modelstore.caller import Caller
from modelstore.data.remote import AnyPath
from modelstore.errors import OptionError, StoreError, did_you_mean, offset_of, point_at
from modelstore.language import nodes
from modelstore.language.option_check import Given, check
from modelstore.option_types import Options
from modelstore.planner.plan import Plan
from modelstore.planner.rewriting import Span, StatementText
from modelstore.store import Store

OptionsOfStatement = TypeVar("OptionsOfStatement", bound=Options)


@dataclass(frozen=True, kw_only=True)
class StatementContext(StatementText):
    """One statement's surroundings: its text and parameters, the store, where winners are saved, its caller.

    ``cluster`` is the address of the Ray cluster that trains, None where this machine does. ``plans`` has the plan of
    each extension statement in it that has run or been explained, by its span. ``in_untouched_transaction`` is set
    where a client has begun a transaction that has changed nothing. ``runs`` is set where the statement is not only
    explained.
    """

    store: Store
    checkpoints: AnyPath
    read_only: bool
    caller: Caller
    cluster: str | None
    plans: dict[Span, Plan] = field(default_factory=dict)
    in_untouched_transaction: bool = False
    runs: bool = False

    def seeing(self, tables: tuple[Span, ...]) -> "StatementContext":
        """The same surroundings for a part of the statement that sees these common tables."""
        return replace(self, tables=tables)

    def check_database(self) -> None:
        """Raises ``StoreError`` where the store's database has been detached."""
        self.store.check_attached()

    def query(self, sql: str, parameters: Any) -> duckdb.DuckDBPyConnection:
        """Runs SQL of the user's, which may name variables of the code that called us."""
        result = self.caller.run(self.store.connection.execute, sql, parameters)
        assert isinstance(result, duckdb.DuckDBPyConnection)
        return result

    def keep(self, span: Span, rows: pa.Table) -> None:
        """Puts rows in a table, which stands in the place of the extension statement that has returned them."""
        self.store.connection.register(self.put_table(span), rows)

    def value_of(self, node: Any) -> Any:
        """A literal's value, its parameter's, or those of a list of them.

        Raises ``duckdb.InvalidInputException`` where a parameter is not given.
        """
        if isinstance(node, nodes.ValueList):
            return [self.value_of(value) for value in node.expressions]
        if not isinstance(node, nodes.Parameter):
            return node.args.get("this")
        return self.parameter(node.this, node.args["start"], node.args["end"])

    def name_of(self, node: Any) -> str:
        """A name, written as it is or given by a parameter. Raises ``OptionError`` where it is empty or no text."""
        value = self.value_of(node)
        if not isinstance(value, str) or not value:
            raise OptionError(
                self.at(f"Binder Error: a name is a text that is not empty, not {value!r}", node)
            )
        if value.encode(errors="ignore").decode() != value:
            raise OptionError(self.at(f"Binder Error: a name is a text, and {value!r} is none", node))
        return value

    def choice_of(self, node: Any, kind: str, choices: Sequence[str], valid: str) -> str:
        """One of several names, in lower case.

        Parameters
        ----------
        node
            The name as it was written.
        kind
            What the name is of, for an error: ``strategy``.
        choices
            The valid names.
        valid
            What the valid names are, in words for an error.

        Raises
        ------
        OptionError
            For any other name.
        """
        name = self.name_of(node).lower()
        if name not in choices:
            message = f'Binder Error: unknown {kind} "{name}"{did_you_mean(name, choices)}: {valid}'
            raise OptionError(self.at(message, node))
        return name

    def count_of(self, node: Any, of: str = "models") -> int:
        """The number in `SELECT BEST n`, `RECALL k` or `SUGGEST k`. Raises ``OptionError`` for one below 1."""
        value = self.value_of(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise OptionError(self.at(f"Binder Error: the number of {of} is 1 or more, not {value!r}", node))
        return value

    def options_of(self, statement: nodes.Extension, options: type[OptionsOfStatement]) -> OptionsOfStatement:
        """The statement's options; those that were not written are at their defaults.

        Parameters
        ----------
        statement
            The parsed statement.
        options
            The class of the statement's options, such as ``RecallOptions``.

        Raises
        ------
        OptionError
            For an option that is unknown, written twice, of the wrong type or out of range.
        """
        return options.of(self.given_options(statement, options))

    def given_options(self, statement: nodes.Extension, options: type[Options]) -> dict[str, Any]:
        """Only the options that were written, by name, checked as in `options_of`."""
        given = [
            Given(
                self.name_of(option.this),
                self.value_of(option.args["value"]),
                option.this.args["start"],
                option.this.args["end"],
            )
            for option in statement.args.get("options") or []
        ]
        checked = check(given, options.schema(), self.sql)
        if self.cluster is not None and "executor" in options.schema():
            checked.setdefault("executor", "ray")
        return checked

    def at(self, message: str, node: Any) -> str:
        """``message`` with a caret under the node's place."""
        return point_at(message, self.sql, node.args["start"], node.args["end"])

    def relocated(self, error: duckdb.Error, span: nodes.Raw | None, hint: str = "") -> duckdb.Error:
        """DuckDB's error with its place in the user's text, instead of in the query that was made around it.

        The ``hint`` follows the message.
        """
        message = self.without_tables(str(error).split("\n\nLINE ", 1)[0]) + hint
        return type(error)(self.at(message, span) if span is not None else message)

    def as_written(self, error: duckdb.Error, start: int, end: int, before: str = "") -> duckdb.Error:
        """DuckDB's error in `text` between two offsets, with what the user wrote in the place of our tables.

        Parameters
        ----------
        error
            The error.
        start, end
            The offsets.
        before
            What stood before that text.
        """
        message, _, place = str(error).partition("\n\nLINE ")
        if not place and not any(name in message for name in self.results.values()):
            return error
        message = self.without_tables(message)
        offset = offset_of(place, before + self.text(start, end)) if place else None
        if offset is not None:
            message = point_at(
                message, self.sql, self.original_offset(max(0, offset - len(before)), start, end)
            )
        return type(error)(message)

    def refuse_read_only(self, what: str) -> None:
        """Raises ``StoreError`` where the database is open for reading alone, and ``what`` stores something."""
        if self.read_only:
            raise StoreError(
                f"{what} stores what it does, and the database is open read-only: open it for writing"
            )

    def leave_transaction(self, what: str) -> None:
        """Ends a transaction without changes, as a statement that trains commits as it goes, so that no run is lost.

        Raises ``StoreError`` inside BEGIN, or in a transaction with changes.
        """
        if not self.store.in_transaction():
            return
        if not self.in_untouched_transaction:
            raise StoreError(
                f"{what} commits what it does as it goes, so it cannot run inside BEGIN: COMMIT first"
            )
        self.store.connection.commit()
