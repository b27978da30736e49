"""`RESUME SELECTION`: finishes a stopped, failed or killed selection from the last stage that it completed.

It continues with the options, the contenders and the dataset that it began with. Where one of them was dropped or
replaced since then, or a saved run is gone, it is refused: nothing is trained twice in silence.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pyarrow as pa

from modelstore.data.hub import address_of
from modelstore.errors import DatasetError, NotFoundError, OptionError, StoreError
from modelstore.language import nodes
from modelstore.options import RecipeOptions, SelectOptions
from modelstore.planner.candidates import Candidates
from modelstore.planner.contents import fault_of_model
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import check_unchanged
from modelstore.planner.models_step import Models
from modelstore.planner.recipes import Recipe, public_recipes
from modelstore.planner.select.arms import Arms
from modelstore.planner.select.checkpoints import SelectionCheckpoints
from modelstore.planner.select.race_plan import informed
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.reusable_runs import ReusableRuns
from modelstore.planner.select.runner import under_way
from modelstore.planner.select.statement import ReplayedSelection, SelectBest, TrainedSelection
from modelstore.selection.strategies import strategy_of
from modelstore.store import Store
from modelstore.store.registered import Dataset, Model
from modelstore.store.selections import Logged
from modelstore.turns import turn


def resume_selection(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """The rows that the SELECT BEST would have had."""
    number = _number_of(context, statement.this)
    context.refuse_read_only("RESUME SELECTION")
    context.leave_transaction("RESUME SELECTION")
    log = context.store.selections
    with under_way(log.read(number).key):
        logged = log.read(number)  # once more: it may have ended in another thread just now
        if logged.status == "done":
            raise StoreError(
                f'selection {number} is done, and its winner is "{logged.model}": '
                f"its decisions are in selection_stages"
            )
        plan = _plan(context, logged)
        with turn() if plan.computes else nullcontext():
            log.resume(number)
            return plan.carry_out(logged)


def _number_of(context: StatementContext, node: Any) -> int:
    value = context.value_of(node)
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"Binder Error: a selection's id is a whole number, not {value!r}"
        raise OptionError(context.at(message, node))
    return value


def _plan(context: StatementContext, logged: Logged) -> SelectBest:
    """The plan of what is left to do. Raises ``NotFoundError`` or ``StoreError`` where it cannot go on."""
    # Options that came later are not in older logs: they are at their defaults.
    of_recipe = logged.recipes[0]["options"] if logged.recipes else {}
    options = SelectOptions.of(logged.options | of_recipe)
    if context.cluster is not None and options.executor != "replay":
        options = replace(options, executor="ray")  # wherever it began
    arms = _arms(logged, options, public_recipes(context.store.recipes, options.recipes or ()))
    dataset = context.store.catalog.find_dataset(logged.dataset)
    strategy = strategy_of(logged.method, options)
    request = SelectRequest(logged.dataset, dataset, logged.wanted, strategy, arms, options)
    request = informed(context, request)
    validations = context.store.selections.validations(logged.id)
    earlier = {arms.logged_name(*arm): scores for arm, scores in validations.items()}
    done, kept = context.store.selections.completed(logged.id)
    stayed = [arms.logged_name(*arm) for arm in kept]
    left = [model for model, _ in kept] or [contender.model for contender in logged.contenders]
    names = list(dict.fromkeys(left or logged.candidates))
    registered = context.store.catalog.find_models(names)
    models = Models(Candidates(names, registered, f"models of selection {logged.id}"))
    recalled = bool(logged.contenders)
    if request.replays:
        return ReplayedSelection(context, request, models, recalled, done, earlier=earlier, stayed=stayed)
    for recipe in arms.recipes:
        recipe.check_possible()
    target = _check_dataset(context, logged, dataset)
    _check_models(context.store, logged, names, registered)
    reusable = ReusableRuns(context, request)
    trained = [arm for arm in stayed if arm not in reusable]
    files = SelectionCheckpoints(context.checkpoints, logged).files(done, trained)
    return TrainedSelection(context, request, models, target, recalled, done, files, earlier, stayed)


def _arms(logged: Logged, options: SelectOptions, public: Sequence[str]) -> Arms:
    """What competes: pairs with the recipes that are logged, or with the only one; ``public`` are read besides."""
    if logged.recipes:
        recipes = [Recipe(**{**one, "options": RecipeOptions.of(one["options"])}) for one in logged.recipes]
    else:
        name, recorded_as = options.recipe, logged.recorded_as
        recipes = [Recipe(name, name, recorded_as, RecipeOptions.of(logged.options))]
    return Arms(recipes, options.executor == "replay", public)


def _check_dataset(context: StatementContext, logged: Logged, dataset: Dataset | None) -> Dataset:
    """The target, unchanged since the selection began."""
    if dataset is None:
        raise NotFoundError(
            f'selection {logged.id} cannot go on: its dataset "{logged.dataset}" has been dropped since it began'
        )
    if context.store.catalog.registered(logged.dataset) != logged.registered:
        raise StoreError(
            f'selection {logged.id} cannot go on: its dataset "{logged.dataset}" has been replaced since it began, '
            "so that scores before and after would be of different rows; run SELECT BEST again"
        )
    try:
        check_unchanged(context.store, dataset)
    except DatasetError as error:
        raise StoreError(
            f"selection {logged.id} cannot go on: {error}; then run SELECT BEST again"
        ) from error
    return dataset


def _check_models(store: Store, logged: Logged, names: list[str], registered: dict[str, Model]) -> None:
    uris = {contender.model: contender.uri for contender in logged.contenders}
    for name in names:
        if name not in registered:
            address = address_of(name)
            if address is not None and uris.get(name, address) == address:
                continue  # its turn had not come, and it is fetched when it does
            if (now := store.catalog.find_model(name)) is not None:
                raise StoreError(
                    f'selection {logged.id} cannot go on: its model "{name}" has been replaced since it began, '
                    f'by "{now.name}"; run SELECT BEST again'
                )
            raise NotFoundError(
                f'selection {logged.id} cannot go on: its model "{name}" has been dropped since it began'
            )
        if name in uris and registered[name].uri != uris[name]:
            raise StoreError(
                f'selection {logged.id} cannot go on: its model "{name}" has been replaced since it began, '
                f'by that in "{registered[name].uri}"; run SELECT BEST again'
            )
        if (fault := fault_of_model(store, registered[name])) is not None:
            raise StoreError(f"selection {logged.id} cannot go on: {fault}; then run SELECT BEST again")
