"""From a statement of a script to its rows: finds the planner that each extension statement's description names."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pyarrow as pa

from modelstore.data.access import as_allowed_by
from modelstore.errors import OptionError
from modelstore.interruption import check, ctrl_c
from modelstore.language import nodes, statements
from modelstore.language.description import Statement, load
from modelstore.language.scanner import EmbeddedStatement
from modelstore.language.script import Mode, ScriptStatement
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Plan, as_text, explain, note_expected
from modelstore.planner.result_schema import schema_of
from modelstore.planner.rewriting import outermost
from modelstore.planner.surroundings import check_surroundings
from modelstore.store.tables import has_table
from modelstore.turns import turn

Remaining = tuple[str, dict[str, Any]]  # SQL for DuckDB, with the values of its parameters


def run(context: StatementContext, statement: ScriptStatement) -> Remaining | None:
    """Plans and runs the extension statements in a statement, innermost first; each is planned and run once.

    Returns
    -------
    tuple or None
        What remains for DuckDB, with tables of their rows in the place of the extension statements, and the values
        of its parameters; None where an extension statement has no rows.
    """
    context.check_database()
    if _yields(context, statement):
        return context.remaining(statement.first, statement.end)
    if statement.mode is Mode.RUN and not check_surroundings(context, statement):
        return _with_empty_rows(context, statement)
    for embedded in statement.embedded:
        with ctrl_c(), as_allowed_by(context.store.connection):
            rows = _run_embedded(context.seeing(embedded.tables), embedded, statement.mode)
        if rows is None:
            return None
        context.keep((embedded.start, embedded.end), rows)
    if statement.mode in (Mode.EXPLAIN, Mode.ANALYZE) and not isinstance(embedded.node, nodes.Explain):
        return _explain_around(context, statement)
    return context.remaining(statement.first, statement.end)


def _yields(context: StatementContext, statement: ScriptStatement) -> bool:
    """Whether there is a table that makes an extension statement DuckDB's, which parses it too."""
    node = statement.embedded[0].node
    table = node.statement.yields_to if isinstance(node, nodes.Extension) else ""
    return bool(table) and has_table(context.store.connection, table)


def _with_empty_rows(context: StatementContext, statement: ScriptStatement) -> Remaining:
    """What remains for DuckDB of a statement that wants no rows of its extension statements."""
    for embedded in statement.embedded:
        assert isinstance(embedded.node, nodes.Extension)
        context.keep((embedded.start, embedded.end), schema_of(embedded.node.statement).empty_table())
    return context.remaining(statement.first, statement.end)


def plan(context: StatementContext, node: nodes.Extension) -> Plan:
    """The plan of an extension statement. Raises ``OptionError`` where it has none."""
    if not node.statement.has_plan:
        explained = [one.short_title for one in statements.LANGUAGE.statements if one.has_plan]
        raise OptionError(
            f"{node.statement.title} has no plan to explain: EXPLAIN takes "
            f"{', '.join(explained[:-1])} and {explained[-1]}"
        )
    planned = _planner(node.statement)(context, node)
    assert isinstance(planned, Plan)
    return planned


def _planner(statement: Statement) -> Callable[[StatementContext, nodes.Extension], Any]:
    """The planner function of a statement; its module is loaded when it is first needed."""
    planner: Callable[[StatementContext, nodes.Extension], Any] = load(statement.planner)
    return planner


def _run_embedded(context: StatementContext, embedded: EmbeddedStatement, mode: Mode) -> pa.Table | None:
    """The rows of an extension statement, those of EXPLAIN or a preview, by the mode; None where it has none."""
    node = embedded.node.this if isinstance(embedded.node, nodes.Explain) else embedded.node
    assert isinstance(node, nodes.Extension)
    if mode is Mode.RUN and not node.statement.has_plan:
        rows: pa.Table | None = _planner(node.statement)(context, node)
        return rows
    check()  # also an interrupt that came before there was anything to stop
    runs = mode in (Mode.RUN, Mode.ANALYZE)
    context = replace(context, runs=runs)
    made = plan(context, node)
    leaves = runs and made.commits and context.store.in_transaction()
    if leaves:
        context.leave_transaction(node.statement.short_title)
    with turn() if runs and made.computes else nullcontext(False) as waited:
        if waited or leaves:  # there may be more on record now, or than the transaction saw
            made = plan(context, node)
        context.plans[embedded.start, embedded.end] = made
        return _rows_of(context, embedded, made, mode)


def _rows_of(
    context: StatementContext, embedded: EmbeddedStatement, made: Plan, mode: Mode
) -> pa.Table | None:
    """The rows of a plan: it runs, or is explained."""
    node = embedded.node.this if isinstance(embedded.node, nodes.Explain) else embedded.node
    if mode in (Mode.EXPLAIN, Mode.ANALYZE):
        from modelstore.planner.explanation import (
            add_notes,
        )  # here, as it loads the planners of all statements

        add_notes(context, node, made)
    check()
    runs = mode in (Mode.RUN, Mode.ANALYZE)
    if mode is Mode.ANALYZE:
        note_expected(made)
    rows = made.run() if runs else None
    if node is not embedded.node:  # EXPLAIN is part of it
        return explain(made, analyze=runs)
    return made.preview() if rows is None else rows


def _explain_around(context: StatementContext, statement: ScriptStatement) -> Remaining:
    """`EXPLAIN` of a query of DuckDB's with extension statements in it: their plans, then its plan around them."""
    spans = outermost(context.plans)
    keys = ["modelstore_plan"] * len(spans)
    values = [as_text(context.plans[span], statement.mode is Mode.ANALYZE) for span in spans]
    for key, value in context.query(*context.remaining(statement.first, statement.end)).fetchall():
        keys.append(key)
        values.append(value)
    rows = pa.table({"explain_key": keys, "explain_value": values})
    context.keep((statement.start, statement.end), rows)
    return context.remaining(statement.first, statement.end)
