"""The runs on record of the arms of a selection: its own target's, and those of other datasets."""

from collections.abc import Sequence

import numpy as np

from modelstore.planner.select.arms import Arms
from modelstore.planner.select.request import SelectRequest
from modelstore.records import Curve, Matrix
from modelstore.store import Store


def recorded_curves_on_target(
    store: Store, request: SelectRequest, models: Sequence[str]
) -> dict[str, Curve]:
    """The curve on the target of each arm of the models that has one, by the arm's name."""
    arms, seed = request.arms, request.options.seed
    return {
        arms.name(model, recipe): curve
        for recipe in arms.recipes
        for model, curve in store.curves.on(request.target, models, recipe.variant, seed).items()
    }


def recorded_results_on_target(store: Store, request: SelectRequest) -> dict[str, float]:
    """The score on the target of each arm that is on record, by the arm's name."""
    arms = request.arms
    return {
        arms.name(model, recipe): score
        for recipe in arms.recipes
        for model, score in store.results.on(request.target, recipe.variant).items()
    }


def recorded_curves(store: Store, arms: Arms, excluding: str) -> dict[tuple[str, str], Curve]:
    """The curves on other datasets than the one ``excluding``, by the arm's name and the dataset."""
    return {
        (arms.record_name(model, recipe), dataset): curve
        for recipe in arms.record_recipes
        for (model, dataset), curve in store.curves.all(recipe, excluding=excluding).items()
    }


def recorded_results(store: Store, arms: Arms, excluding: str) -> Matrix:
    """The scores on other datasets than the one ``excluding``; the rows are named as the arms."""
    recipes = arms.record_recipes
    matrices = [store.results.matrix(recipe, excluding=excluding) for recipe in recipes]
    if not arms.several:
        return matrices[0]
    datasets = sorted({dataset for matrix in matrices for dataset in matrix.datasets})
    column_of = {dataset: column for column, dataset in enumerate(datasets)}
    names = [
        arms.record_name(model, recipe)
        for recipe, matrix in zip(recipes, matrices, strict=True)
        for model in matrix.models
    ]
    scores = np.full((len(names), len(datasets)), np.nan)
    first = 0
    for matrix in matrices:
        rows = slice(first, first + len(matrix.models))
        scores[rows, [column_of[dataset] for dataset in matrix.datasets]] = matrix.scores
        first += len(matrix.models)
    return Matrix(names, datasets, scores)
