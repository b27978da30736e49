"""Binds `RECALL`: the best candidates for a target, ranked without training."""

import pyarrow as pa

from modelstore.language import nodes
from modelstore.language.statements import RECALL_MODELS
from modelstore.options import PROXIES, RecallOptions
from modelstore.planner.candidates import find_candidates
from modelstore.planner.cluster_plan import where_passes_run
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import target_on_record
from modelstore.planner.inference_costs import ModelCosts
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recall.prior import check_comparable
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.step import RecallStep
from modelstore.planner.recipes import recorded_recipes
from modelstore.planner.record_notices import notify_of_records
from modelstore.planner.result_schema import schema_of

SCHEMA = schema_of(RECALL_MODELS)


class RecallPlan(Plan):
    """The plan of `RECALL`: one recall step, whose models are the rows."""

    schema = SCHEMA

    def __init__(self, context: StatementContext, request: RecallRequest, recall: RecallStep):
        self._context = context
        self._request = request
        self._recall = recall
        self.dataset, self.recipes = request.dataset, request.recipes
        self.datasets = [request.dataset]

    @property
    def model_names(self) -> list[str]:
        """The models that are to be scored."""
        return self._recall.scored

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._recall,)

    @property
    def computes(self) -> bool:
        return not self._request.replays and bool(self._recall.scored)

    def describe(self) -> str:
        request, scored = self._request, self._recall.scored
        passes = 0 if request.replays else len(scored)
        where = where_passes_run(self._context, request.options, scored, passes)
        return f"RECALL MODELS FOR {request.target}{where}"

    def expected(self) -> Cost:
        return self._recall.expected()

    def likely_models(self) -> list[str]:
        return self._recall.likely_models()

    def run(self) -> pa.Table:
        notify_of_records(self._context.store, self._request.recipes, target=self._request.target)
        recalled = self._recall.recall()
        self.actual = self._recall.actual
        rows = [{name: getattr(row, name) for name in SCHEMA.names} for row in recalled]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_recall(context: StatementContext, statement: nodes.Extension) -> RecallPlan:
    """Plans a RECALL."""
    given = context.given_options(statement, RecallOptions)
    options = RecallOptions.of(given)
    target = context.name_of(statement.args["target"])
    dataset = context.store.catalog.find_dataset(target)
    target = dataset.name if dataset else target_on_record(context.store, target, "proxy_scores")
    recipes = recorded_recipes(context.store.recipes, options.recipe, options.recipes, given)
    if options.prior == "mean":
        check_comparable(recipes)
    candidates = find_candidates(
        context,
        statement,
        target,
        dataset,
        on_record=recipes if dataset is None else (),
        costs=ModelCosts(context, options, options.max_length),
    )
    count = context.count_of(statement.args["count"]) if statement.args.get("count") else options.recalled
    proxies = _proxies(context, statement) or (options.proxy,)
    request = RecallRequest(target, dataset, count, proxies, recipes, options)
    return RecallPlan(context, request, RecallStep(context, Models(candidates), request))


def _proxies(context: StatementContext, statement: nodes.Extension) -> tuple[str, ...]:
    """The proxies after USING; none where there is no USING."""
    valid = f"the proxies are {', '.join(PROXIES)}"
    written = statement.args.get("proxies") or []
    return tuple(context.choice_of(node, "proxy", PROXIES, valid) for node in written)
