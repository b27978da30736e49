"""From a scanned statement to its rows: the one place that knows which planner serves which statement."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlglot import exp

from modelstore.errors import OptionError
from modelstore.interruption import check, ctrl_c
from modelstore.language import nodes
from modelstore.language.scanner import EmbeddedStatement, Mode, Statement
from modelstore.planner.benchmark import statement as benchmarking
from modelstore.planner.catalog import statement as definitions
from modelstore.planner.cluster import statement as clustering
from modelstore.planner.compare import statement as comparing
from modelstore.planner.compare import suggest as suggesting
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Plan, as_text, explain
from modelstore.planner.recall import statement as recall_models
from modelstore.planner.select import resume as resuming
from modelstore.planner.select import statement as selecting

_PLANNERS: dict[type[exp.Expr], Callable[[StatementContext, Any], Plan]] = {
    nodes.BenchmarkModels: benchmarking.bind_benchmark,
    nodes.ClusterModels: clustering.bind_cluster,
    nodes.CompareStrategies: comparing.bind_compare,
    nodes.Recall: recall_models.bind_recall,
    nodes.SelectBest: selecting.bind_select_best,
    nodes.SuggestBenchmarks: suggesting.bind_suggest,
}
# What has no plan to explain.
_OTHERS: dict[type[exp.Expr], Callable[[StatementContext, Any], pa.Table | None]] = {
    nodes.CreateModel: definitions.create_model,
    nodes.CreateDataset: definitions.create_dataset,
    nodes.DropModel: definitions.drop_model,
    nodes.DropDataset: definitions.drop_dataset,
    nodes.ResumeSelection: resuming.resume_selection,
}


Remaining = tuple[str, dict[str, Any]]  # SQL for DuckDB, with the values of its parameters


def plan(context: StatementContext, statement: nodes.Extension) -> Plan:
    """The plan of a statement that has one. Raises ``OptionError`` for another."""
    if type(statement) not in _PLANNERS:
        raise OptionError(
            f"{statement.title} has no plan to explain: EXPLAIN takes SELECT BEST, RECALL, COMPARE, SUGGEST, "
            "BENCHMARK and CLUSTER"
        )
    return _PLANNERS[type(statement)](context, statement)


def run(context: StatementContext, statement: Statement) -> Remaining | None:
    """Plans and runs what is ours of a statement, innermost first; each part is planned once and run once.

    Returns what remains for DuckDB, where the rows of ours stand in tables, or None after a definition.
    """
    context.check_database()
    for found in statement.found:
        with ctrl_c():
            rows = _rows(context.seeing(found.tables), found, statement.mode)
        if rows is None:
            return None
        context.keep((found.start, found.end), rows)
    if statement.mode in (Mode.EXPLAIN, Mode.ANALYZE) and not isinstance(found.expression, nodes.Explain):
        return _explain_around(context, statement)
    return context.remaining(statement.start, statement.end)


def _rows(context: StatementContext, found: EmbeddedStatement, mode: Mode) -> pa.Table | None:
    """The rows of a part of a statement that is ours; None where it has none."""
    expression = found.expression
    if type(expression) in _OTHERS and mode is Mode.RUN:
        return _OTHERS[type(expression)](context, expression)
    explained = expression.this if isinstance(expression, nodes.Explain) else expression
    check()  # also one that came before there was anything to stop
    made = context.plans[found.start, found.end] = plan(context, explained)
    check()
    runs = mode in (Mode.RUN, Mode.ANALYZE)
    rows = made.run() if runs else None
    if isinstance(expression, nodes.Explain):
        return explain(made, analyze=runs)
    return made.preview() if rows is None else rows


def _explain_around(context: StatementContext, statement: Statement) -> Remaining:
    """`EXPLAIN` of a query of DuckDB's with queries of ours in it: their plans, then its plan around them."""
    outermost = [span for span in context.plans if not context.is_inside_another(span)]
    keys = ["modelstore_plan"] * len(outermost)
    values = [as_text(context.plans[span], statement.mode is Mode.ANALYZE) for span in sorted(outermost)]
    for key, value in context.query(*context.remaining(statement.start, statement.end)).fetchall():
        keys.append(key)
        values.append(value)
    rows = pa.table({"explain_key": keys, "explain_value": values})
    context.keep((statement.start, statement.end), rows)
    return context.remaining(statement.start, statement.end)
