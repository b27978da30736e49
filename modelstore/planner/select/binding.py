"""Binds `SELECT BEST`: its recipes, target, strategy, candidates and options, and what does not go together."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelstore.errors import NotFoundError, OptionError, first_of
from modelstore.language import nodes
from modelstore.options import SelectOptions
from modelstore.planner.candidates import find_candidates
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import check_unchanged, target_on_record
from modelstore.planner.inference_costs import NAMED, ModelCosts
from modelstore.planner.models_step import Models
from modelstore.planner.recall.prior import check_comparable
from modelstore.planner.recipes import (
    Recipe,
    check_task,
    known_recipe,
    lists_in,
    public_recipes,
    training_recipes,
    without_lists,
)
from modelstore.planner.select.arms import Arms
from modelstore.planner.select.race_plan import planned
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.statement import ReplayedSelection, SelectBest, TrainedSelection
from modelstore.planner.stage_options import check_stages
from modelstore.selection.strategies import DEFAULT, STRATEGIES, strategy_of


def bind_select_best(context: StatementContext, statement: nodes.Extension) -> SelectBest:
    """Plans a SELECT BEST.

    Raises ``OptionError`` or ``NotFoundError`` for what cannot be planned.
    """
    given = context.given_options(statement, SelectOptions)
    asked = SelectOptions.of(without_lists(given))
    replays = asked.executor == "replay"
    stored = context.store.recipes
    if replays:
        known_recipe(stored, asked.recipe)
    recipes = training_recipes(stored, asked, given)
    public = [known_recipe(stored, name) for name in public_recipes(stored, asked.recipes or ())]
    if public and asked.prior == "mean":
        check_comparable([recipes[0].name, *public])
    _check_alike(recipes, given)
    for recipe in recipes:
        if replays:
            known_recipe(stored, recipe.variant)
        else:
            recipe.check_possible()
    target = context.name_of(statement.args["target"])
    dataset = context.store.catalog.find_dataset(target)
    if dataset is None:
        if not replays:
            dataset = context.store.catalog.dataset(target)  # which says that it is not there
        target = target_on_record(context.store, target, "training_curves")
    else:
        target = dataset.name
        check_task(recipes, dataset)
    name = check_method(context, statement.args.get("strategy"))
    count = context.count_of(statement.args["count"]) if statement.args.get("count") else 1
    if asked.ensemble:
        _check_ensemble(replays, count)
    _check_costs(asked)
    models = Models(
        find_candidates(
            context,
            statement,
            target,
            dataset,
            on_record=[recipe.variant for recipe in recipes] if replays else (),
            costs=ModelCosts(context, asked, recipes[0].options.max_length),
        )
    )
    # Stages end where the largest steps of the recipes do.
    largest = max((recipe.options for recipe in recipes), key=lambda one: one.rows_per_step)
    steps = {
        "batch_size": largest.batch_size,
        "gradient_accumulation": largest.gradient_accumulation,
    }
    named = {"recipe": recipes[0].name} if "recipe" in given or (public and len(recipes) == 1) else {}
    options = SelectOptions.of(given | named | recipes[0].options.as_dict() | steps)
    check_stages(options)
    arms = Arms(recipes, replays, public)
    request = SelectRequest(target, dataset, count, strategy_of(name, options), arms, options)
    request = planned(context, request, models.candidates.names)
    if dataset is None or replays:
        return ReplayedSelection(context, request, models)
    check_unchanged(context.store, dataset)
    if request.cost_column is not None:
        _check_registered(request.cost_column, list(models.candidates.on_hub))
    return TrainedSelection(context, request, models, dataset)


def _check_registered(column: str, on_record: Sequence[str]) -> None:
    """Raises ``NotFoundError`` where models are on record alone: to be compared by a cost they have to be here."""
    if on_record:
        raise NotFoundError(
            f"{first_of(on_record, NAMED)}: known by records alone, so that {column} is not known before they are "
            "registered: CREATE MODELS FROM the relation with a column uri ('hf://' || name), then select"
        )


def _check_alike(recipes: Sequence[Recipe], given: Mapping[str, Any]) -> None:
    """Raises ``OptionError`` where recipes differ in length, and could not share stages, or in what they keep."""
    if "epochs" in lists_in(given):
        raise OptionError(
            'Binder Error: the option "epochs" takes a whole number in SELECT BEST, since models that compete are '
            "validated after the same stages: give one number, or train for each with BENCHMARK MODELS"
        )
    first = recipes[0]
    kept = next((one for one in recipes if one.options.keep != first.options.keep), None)
    if kept is not None:
        raise OptionError(
            f'Binder Error: models that compete are judged by one kind of point, and the recipe "{first.name}" keeps '
            f'the {first.options.keep} where "{kept.name}" keeps the {kept.options.keep}: give keep for all'
        )
    other = next((one for one in recipes if one.options.epochs != first.options.epochs), None)
    if other is not None:
        raise OptionError(
            f'Binder Error: models that compete train for the same number of epochs, and the recipe "{first.name}" '
            f'says {first.options.epochs} where "{other.name}" says {other.options.epochs}: give epochs for all'
        )


def _check_ensemble(replays: bool, count: int) -> None:
    if replays:
        raise OptionError(
            "Binder Error: ensemble = true needs the predictions of the models that it weighs, and a replay has "
            "their recorded scores alone: use executor = 'torch'"
        )
    if count == 1:
        raise OptionError(
            "Binder Error: ensemble = true weighs several winners: ask for them with SELECT BEST n MODELS"
        )


def _check_costs(options: SelectOptions) -> None:
    """Raises ``OptionError`` for options of which each says otherwise what a model's cost counts."""
    if options.pareto is not None and options.latency_weight is not None:
        raise OptionError(
            "Binder Error: latency_weight trades score for latency at one price, and pareto leaves that open: give "
            "one of them"
        )
    name = "pareto" if options.pareto is not None else "latency_weight"
    if options.ensemble and (options.pareto is not None or options.latency_weight is not None):
        raise OptionError(
            f"Binder Error: an ensemble runs all its members for each row, and {name} asks for models that cost "
            "little: leave one of the options out"
        )


def check_method(context: StatementContext, node: Any) -> str:
    """A strategy's name, the default where none is given. Raises ``OptionError``."""
    if node is None:
        return DEFAULT
    names = tuple(STRATEGIES)
    return context.choice_of(node, "strategy", names, f"the strategies are {', '.join(names)}")
