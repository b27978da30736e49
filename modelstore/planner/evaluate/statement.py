"""Binds `EVALUATE MODELS`: which models are evaluated, and on what."""

from modelstore.language import nodes
from modelstore.options import EvaluateOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.evaluate.plan import EvaluatePlan


def bind_evaluate(context: StatementContext, statement: nodes.Extension) -> EvaluatePlan:
    """Plans an EVALUATE of the named models, each once. Raises ``NotFoundError`` for one that is not registered."""
    options = context.options_of(statement, EvaluateOptions)
    catalog = context.store.catalog
    found = [catalog.model(context.name_of(node)) for node in statement.args["models"]]
    dataset = catalog.dataset(context.name_of(statement.args["dataset"]))
    models = list({model.name: model for model in found}.values())
    return EvaluatePlan(context, models, dataset, options)
