"""The records of several recipes as one matrix."""

import numpy as np

from modelstore.recall.normal_scores import normal_scores
from modelstore.recall.pooled_recipes import pool_recipes
from modelstore.records import Matrix


def test_one_recipe_stays_as_it_is() -> None:
    matrix = Matrix(["a"], ["d"], np.array([[0.3]]))
    assert pool_recipes([matrix]) is matrix


def test_a_model_does_not_gain_by_being_on_record_with_the_better_recipe_alone() -> None:
    slow = Matrix(["a", "b", "c"], ["d"], np.array([[0.3], [0.2], [0.1]]))
    fast = Matrix(["b", "c"], ["d"], np.array([[0.9], [0.8]]))
    pooled = pool_recipes([slow, fast])
    assert pooled.models == ["a", "b", "c"]
    assert pooled.scores[:, 0].argmax() == 0


def test_a_cell_is_the_mean_of_the_normal_scores_of_its_recipes() -> None:
    random = np.random.default_rng(0)
    matrices = []
    for models, datasets in ((["a", "b", "c"], ["x", "y"]), (["b", "c", "d"], ["y", "z"]), ([], [])):
        scores = random.random((len(models), len(datasets)))
        scores[random.random(scores.shape) < 0.2] = np.nan
        matrices.append(Matrix(models, datasets, scores))
    pooled = pool_recipes(matrices)
    assert pooled.datasets == ["x", "y", "z"]
    for model in pooled.models:
        for dataset in pooled.datasets:
            found = [
                normal_scores(matrix.scores[:, matrix.datasets.index(dataset)])[matrix.models.index(model)]
                for matrix in matrices
                if model in matrix.models and dataset in matrix.datasets
            ]
            known = [score for score in found if np.isfinite(score)]
            value = pooled.scores[pooled.models.index(model), pooled.datasets.index(dataset)]
            np.testing.assert_allclose(value, np.mean(known) if known else np.nan)
