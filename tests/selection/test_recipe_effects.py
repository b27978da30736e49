"""The effects of recipes, against their definition."""

import numpy as np
import pytest

from modelstore.selection.recipe_effects import PRIOR_DATASETS, recipe_effects


def by_definition(scores: np.ndarray, models: np.ndarray, recipes: np.ndarray, recipe: int) -> float:
    """e(r) of one point: scores (pairs, datasets)."""
    differences = []
    for dataset in range(scores.shape[1]):
        of_models = []
        for pair in np.flatnonzero(recipes == recipe):
            same = [row for row in range(len(models)) if models[row] == models[pair]]
            there = [scores[row, dataset] for row in same if np.isfinite(scores[row, dataset])]
            if np.isfinite(scores[pair, dataset]) and len(there) > 1:
                of_models.append(scores[pair, dataset] - np.mean(there))
        if of_models:
            differences.append(np.mean(of_models))
    return sum(differences) / (len(differences) + PRIOR_DATASETS)


@pytest.mark.parametrize("seed", range(8))
def test_effects_are_the_shrunk_means_of_paired_differences(seed: int) -> None:
    random = np.random.default_rng(seed)
    models, recipes = np.divmod(random.permutation(15), 3)
    scores = random.normal(size=(15, 6, 4))
    scores[random.random(scores.shape) < 0.4] = np.nan
    effects = recipe_effects(scores, models, recipes)
    expected = [
        [by_definition(scores[:, :, c], models, recipes, recipe) for c in range(4)] for recipe in range(3)
    ]
    np.testing.assert_allclose(effects, expected)


def test_a_recipe_that_is_not_compared_has_no_effect() -> None:
    scores = np.array([[[0.9]], [[0.5]], [[0.7]]])
    effects = recipe_effects(scores, np.array([0, 1, 2]), np.array([0, 1, 1]))
    np.testing.assert_array_equal(effects, np.zeros((2, 1)))


def test_an_effect_grows_with_the_datasets_that_show_it() -> None:
    one = np.tile([[0.6], [0.5]], (1, 1))[:, :, None]
    many = np.repeat(one, 60, axis=1)
    models, recipes = np.array([0, 0]), np.array([0, 1])
    assert recipe_effects(one, models, recipes)[0, 0] == pytest.approx(0.05 / 4)
    assert recipe_effects(many, models, recipes)[:, 0] == pytest.approx([0.05 * 60 / 63, -0.05 * 60 / 63])


def test_nothing_on_record_gives_no_effects() -> None:
    none = np.empty(0, dtype=np.intp)
    assert recipe_effects(np.empty((0, 0, 3)), none, none).shape == (0, 3)
