"""The statement `RECALL`."""

import pyarrow as pa

from modelstore.language import nodes
from modelstore.language.options import PROXIES, RECALL_OPTIONS, defaults
from modelstore.language.statements import RECALL_MODELS
from modelstore.planner.candidates import find_candidates
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recall.cluster_recall import ClusterRecall, check_target
from modelstore.planner.recall.prior_recall import recall_step
from modelstore.planner.recipes import known_recipe
from modelstore.planner.result_schema import schema_of
from modelstore.planner.select.request import RecallRequest

SCHEMA = schema_of(RECALL_MODELS)


class RecallModels(Plan):
    """The statement `RECALL`."""

    schema = SCHEMA

    def __init__(self, target: str, recall: ClusterRecall):
        self._target = target
        self._recall = recall

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._recall,)

    def describe(self) -> str:
        return f"RECALL MODELS FOR {self._target}"

    def expected(self) -> Cost:
        return self._recall.expected()

    def likely_models(self) -> list[str]:
        return self._recall.likely_models()

    def run(self) -> pa.Table:
        recalled = self._recall.recall()
        self.actual = self._recall.actual
        rows = [{name: getattr(row, name) for name in SCHEMA.names} for row in recalled]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_recall(context: StatementContext, statement: nodes.Extension) -> RecallModels:
    """Plans a RECALL."""
    options = defaults(RECALL_OPTIONS) | context.options_of(statement, RECALL_OPTIONS)
    target = context.name_of(statement.args["target"])
    dataset = context.store.catalog.find_dataset(target)
    if dataset is None:
        check_target(context, target, "proxy_scores")
    recipe = known_recipe(context.store.recipes, options["recipe"])
    candidates = find_candidates(
        context, statement, target, dataset, on_record=recipe if dataset is None else None
    )
    count = context.count_of(statement.args["count"]) if statement.args.get("count") else options["recall"]
    valid = f"the proxies are {', '.join(PROXIES)}"
    given = [context.choice_of(node, "proxy", PROXIES, valid) for node in statement.args.get("proxies") or []]
    request = RecallRequest(target, dataset, count, tuple(given or [options["proxy"]]), recipe, options)
    return RecallModels(target, recall_step(context, Models(candidates), request))
