"""From a scanned statement to its rows: the one place that knows which planner serves which statement."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlglot import exp

from modelstore.errors import OptionError
from modelstore.interruption import check, ctrl_c
from modelstore.language import expressions as ours
from modelstore.language.scan import Found, Mode, Statement
from modelstore.planner import (
    benchmarking,
    clustering,
    comparing,
    definitions,
    recall_models,
    resuming,
    selecting,
    suggesting,
)
from modelstore.planner.plan import Plan, as_text, explain
from modelstore.planner.session import Session

_PLANNERS: dict[type[exp.Expr], Callable[[Session, Any], Plan]] = {
    ours.BenchmarkModels: benchmarking.bind_benchmark,
    ours.ClusterModels: clustering.bind_cluster,
    ours.CompareStrategies: comparing.bind_compare,
    ours.Recall: recall_models.bind_recall,
    ours.SelectBest: selecting.bind_select_best,
    ours.SuggestBenchmarks: suggesting.bind_suggest,
}
# What has no plan to explain.
_OTHERS: dict[type[exp.Expr], Callable[[Session, Any], pa.Table | None]] = {
    ours.CreateModel: definitions.create_model,
    ours.CreateDataset: definitions.create_dataset,
    ours.DropModel: definitions.drop_model,
    ours.DropDataset: definitions.drop_dataset,
    ours.ResumeSelection: resuming.resume_selection,
}


Remaining = tuple[str, dict[str, Any]]  # SQL for DuckDB, with the values of its parameters


def plan(session: Session, statement: ours.Extension) -> Plan:
    """The plan of a statement that has one. Raises ``OptionError`` for another."""
    if type(statement) not in _PLANNERS:
        raise OptionError(
            f"{statement.title} has no plan to explain: EXPLAIN takes SELECT BEST, RECALL, COMPARE, SUGGEST, "
            "BENCHMARK and CLUSTER"
        )
    return _PLANNERS[type(statement)](session, statement)


def run(session: Session, statement: Statement) -> Remaining | None:
    """Plans and runs what is ours of a statement, innermost first; each part is planned once and run once.

    Returns what remains for DuckDB, where the rows of ours stand in tables, or None after a definition.
    """
    session.check_database()
    for found in statement.found:
        with ctrl_c():
            rows = _rows(session.seeing(found.tables), found, statement.mode)
        if rows is None:
            return None
        session.keep((found.start, found.end), rows)
    if statement.mode in (Mode.EXPLAIN, Mode.ANALYZE) and not isinstance(found.expression, ours.Explain):
        return _explain_around(session, statement)
    return session.remaining(statement.start, statement.end)


def _rows(session: Session, found: Found, mode: Mode) -> pa.Table | None:
    """The rows of a part of a statement that is ours; None where it has none."""
    expression = found.expression
    if type(expression) in _OTHERS and mode is Mode.RUN:
        return _OTHERS[type(expression)](session, expression)
    explained = expression.this if isinstance(expression, ours.Explain) else expression
    check()  # also one that came before there was anything to stop
    made = session.plans[found.start, found.end] = plan(session, explained)
    check()
    runs = mode in (Mode.RUN, Mode.ANALYZE)
    rows = made.run() if runs else None
    if isinstance(expression, ours.Explain):
        return explain(made, analyze=runs)
    return made.preview() if rows is None else rows


def _explain_around(session: Session, statement: Statement) -> Remaining:
    """`EXPLAIN` of a query of DuckDB's with queries of ours in it: their plans, then its plan around them."""
    outermost = [span for span in session.plans if not session.is_inside_another(span)]
    keys = ["modelstore_plan"] * len(outermost)
    values = [as_text(session.plans[span], statement.mode is Mode.ANALYZE) for span in sorted(outermost)]
    for key, value in session.query(*session.remaining(statement.start, statement.end)).fetchall():
        keys.append(key)
        values.append(value)
    rows = pa.table({"explain_key": keys, "explain_value": values})
    session.keep((statement.start, statement.end), rows)
    return session.remaining(statement.start, statement.end)
