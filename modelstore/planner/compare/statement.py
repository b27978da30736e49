"""Binds `COMPARE STRATEGIES`: which strategies are replayed on which recorded datasets."""

from modelstore.errors import MissingRecordError
from modelstore.language import nodes
from modelstore.options import STRATEGIES, CompareOptions, SelectOptions
from modelstore.planner.compare.plan import Case, ComparePlan
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import target_on_record
from modelstore.planner.recipes import known_recipe, others_on_record, training_recipe
from modelstore.planner.select.binding import check_method
from modelstore.planner.stage_options import check_stages


def bind_compare(context: StatementContext, statement: nodes.Extension) -> ComparePlan:
    """Plans a COMPARE of the named strategies, or of all, on the named datasets, or on all that have curves."""
    given = context.given_options(statement, CompareOptions)
    store = context.store
    name = known_recipe(store.recipes, CompareOptions.of(given).recipe)
    recipe = training_recipe(store.recipes, name, given)
    options = SelectOptions.of(given | recipe.options.as_dict() | {"executor": "replay"})
    check_stages(options)
    strategies = [check_method(context, node) for node in statement.args.get("strategies") or []]
    named = [context.name_of(node) for node in statement.args.get("datasets") or []]
    datasets = [target_on_record(store, name, "training_curves") for name in named]
    with_curves = store.curves.models_by_dataset(recipe.name)
    wanted = dict.fromkeys(datasets or sorted(with_curves))
    cases = [Case(dataset, with_curves.get(dataset, [])) for dataset in wanted]
    if not cases:
        raise MissingRecordError(
            f"training_curves has nothing of recipe {recipe.name} to be replayed: run BENCHMARK MODELS, or load it"
            f"{others_on_record(store.recipes, [recipe.name])}"
        )
    chosen = list(dict.fromkeys(strategies)) or list(STRATEGIES)
    return ComparePlan(context, chosen, cases, recipe, options, skips=not datasets)
