"""What EXPLAIN says beside the steps of a plan: what replays let expect, what must be fetched, the disk it takes.

For a registered target that has results, also which datasets are most like it.
"""

from modelstore.language import nodes
from modelstore.options import SelectOptions
from modelstore.planner.benchmark.plan import BenchmarkPlan
from modelstore.planner.compare.expectation import ReplayExpectation
from modelstore.planner.context import StatementContext
from modelstore.planner.disk import CheckpointDisk, downloads
from modelstore.planner.evaluate.plan import EvaluatePlan
from modelstore.planner.plan import Plan
from modelstore.planner.recall.statement import RecallPlan
from modelstore.planner.select.statement import TrainedSelection
from modelstore.planner.similar.encoded import EncodedPlan
from modelstore.planner.similar.explaining import most_alike


def add_notes(context: StatementContext, node: nodes.Extension, plan: Plan) -> None:
    """Adds what EXPLAIN says beside the steps of a statement's plan."""
    if isinstance(plan, TrainedSelection):
        request = plan.request
        given = context.given_options(node, SelectOptions)
        replays = ReplayExpectation(
            context, request, SelectOptions.of(given | request.recipe.options.as_dict())
        )
        if request.options.pareto is None:  # for a front more models train than for one winner
            plan.expect(replays)
        disk = CheckpointDisk(context, request, plan.candidates, plan.contenders)
        to_fetch = downloads(context, plan.candidates, [request.dataset])
        alike = most_alike(context.store, request.arms.prior_recipes, request.target)
        on_record = plan.on_record()
        plan.notes = (*to_fetch, *([on_record] if on_record else []), disk, *alike, replays)
    elif isinstance(plan, RecallPlan | BenchmarkPlan | EvaluatePlan | EncodedPlan):
        plan.notes = downloads(context, plan.model_names, plan.datasets)
    if isinstance(plan, RecallPlan) and plan.dataset is not None:
        plan.notes = (*plan.notes, *most_alike(context.store, plan.recipes, plan.dataset.name))
