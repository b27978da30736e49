"""Binds `BENCHMARK MODELS`: which models are trained on which datasets."""

from collections.abc import Sequence

from modelstore.errors import NotFoundError, OptionError
from modelstore.language import nodes
from modelstore.options import BenchmarkOptions
from modelstore.planner.benchmark.pairs import Pair
from modelstore.planner.benchmark.plan import BenchmarkPlan
from modelstore.planner.candidates import Candidates, find_candidates
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import check_unchanged
from modelstore.planner.inference_costs import ModelCosts
from modelstore.planner.models_step import Models
from modelstore.planner.recipes import Recipe, check_task, public_recipes, training_recipes, without_lists
from modelstore.planner.reusable_records import ReusableRecords
from modelstore.planner.stage_options import check_stages
from modelstore.progress import notify
from modelstore.sql_text import folded
from modelstore.store.registered import Dataset, Model


def bind_benchmark(context: StatementContext, statement: nodes.Extension) -> BenchmarkPlan:
    """Plans a BENCHMARK: each model on each dataset of its modality by each recipe, dataset by dataset."""
    given = context.given_options(statement, BenchmarkOptions)
    options = BenchmarkOptions.of(without_lists(given))
    store = context.store
    recipes = training_recipes(store.recipes, options, given)
    if public := public_recipes(store.recipes, options.recipes or ()):
        raise OptionError(
            f'Binder Error: BENCHMARK MODELS trains by each recipe, and "{public[0]}" is that of public records: '
            "leave it out"
        )
    for recipe in recipes:
        check_stages(recipe.training_options(options))
        recipe.check_possible()
    candidates = find_candidates(
        context, statement, costs=ModelCosts(context, options, recipes[0].options.max_length)
    )
    datasets = _datasets(context, statement)
    for dataset in datasets:
        check_task(recipes, dataset)
    pairs = _pairs(context, candidates, datasets, recipes, options.seed)
    return BenchmarkPlan(context, Models(candidates), pairs, recipes, options)


def _datasets(context: StatementContext, statement: nodes.Extension) -> list[Dataset]:
    """The datasets after ON. Raises ``NotFoundError`` where one of them, or any, is not registered."""
    catalog = context.store.catalog
    names = [context.name_of(node) for node in statement.args["datasets"]] or catalog.dataset_names()
    if not names:
        raise NotFoundError("there are no datasets: register some with CREATE DATASET name FROM 'file'")
    found = [catalog.dataset(name) for name in names]
    return list({dataset.name: dataset for dataset in found}.values())


def _can_train(model: Model, dataset: Dataset) -> bool:
    return model.modality in (None, dataset.modality) and not _was_tuned_on(model, dataset)


def _was_tuned_on(model: Model, dataset: Dataset) -> bool:
    """Whether a selection fine-tuned the model on the dataset."""
    return folded(dataset.name) in map(folded, model.fine_tuned_on)


def _pairs(
    context: StatementContext,
    candidates: Candidates,
    datasets: list[Dataset],
    recipes: Sequence[Recipe],
    seed: int,
) -> list[Pair]:
    """All pairs of one modality, by each recipe.

    Raises ``NotFoundError`` for a model that is not registered, or where there is no pair.
    """
    for name in candidates.names:
        if name not in candidates.registered:
            context.store.catalog.model(name)  # raises
    results = context.store.results
    recorded = {recipe.recorded_as: results.with_seed(recipe.recorded_as, seed) for recipe in recipes}
    for dataset in datasets:
        check_unchanged(context.store, dataset)
    reusable = ReusableRecords(context.store, seed)
    pairs = [
        Pair(
            name,
            dataset,
            recipe,
            reusable.score(recorded[recipe.recorded_as], name, dataset.name, recipe.recorded_as),
        )
        for dataset in datasets
        for name in candidates.names
        for recipe in recipes
        if _can_train(candidates.registered[name], dataset)
    ]
    reusable.notify_of_others()
    left_out = sorted(
        {n for n in candidates.names for d in datasets if _was_tuned_on(candidates.registered[n], d)}
    )
    if left_out:
        notify(
            f"{', '.join(left_out)}: an earlier selection fine-tuned "
            f"{'it' if len(left_out) == 1 else 'them'} on a dataset named here, which is left out"
        )
    if not pairs:
        raise NotFoundError(
            "no model is of a dataset's modality: text models are benchmarked on text, image models on images"
        )
    return pairs
