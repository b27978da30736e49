"""From a parsed statement of ours to its rows: the one place that knows which planner serves which statement."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlglot import exp

from modelstore.errors import OptionError
from modelstore.interruption import ctrl_c
from modelstore.language import expressions as ours
from modelstore.planner import benchmarking, clustering, definitions, recalling, resuming, selecting
from modelstore.planner.plan import Plan, explain
from modelstore.planner.session import Session

_PLANNERS: dict[type[exp.Expr], Callable[[Session, Any], Plan]] = {
    ours.BenchmarkModels: benchmarking.bind_benchmark,
    ours.ClusterModels: clustering.bind_cluster,
    ours.Recall: recalling.bind_recall,
    ours.SelectBest: selecting.bind_select_best,
}
# What has no plan to explain.
_OTHERS: dict[type[exp.Expr], Callable[[Session, Any], pa.Table | None]] = {
    ours.CreateModel: definitions.create_model,
    ours.CreateDataset: definitions.create_dataset,
    ours.DropModel: definitions.drop_model,
    ours.DropDataset: definitions.drop_dataset,
    ours.ResumeSelection: resuming.resume_selection,
}


def plan(session: Session, statement: ours.Extension) -> Plan:
    """The plan of a statement that has one."""
    return _PLANNERS[type(statement)](session, statement)


def run(session: Session, statement: ours.Extension) -> pa.Table | None:
    """Plans a statement and runs it: its rows, or None where it has none."""
    with ctrl_c():
        if isinstance(statement, ours.Explain):
            return _explain(session, statement)
        if type(statement) in _OTHERS:
            return _OTHERS[type(statement)](session, statement)
        return plan(session, statement).run()


def _explain(session: Session, statement: ours.Explain) -> pa.Table:
    explained = statement.this
    if type(explained) not in _PLANNERS:
        raise OptionError(
            f"{explained.title} has no plan to explain: EXPLAIN takes SELECT BEST, RECALL, BENCHMARK and CLUSTER"
        )
    analyze = bool(statement.args.get("analyze"))
    made = plan(session, explained)
    if analyze:
        made.run()
    return explain(made, analyze)
