"""The chance of being the best against draws, and the greedy set against its definition."""

import numpy as np
import pytest

from modelstore.recall.best_chances import best_set, chances_of_best
from modelstore.recall.combined_scores import DEFAULT_SLOPES, Slopes


def some_features(seed: int, models: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(models, 2)) * (0.7, 1.0)


def drawn(x: np.ndarray, slopes: Slopes, draws: int) -> np.ndarray:
    """(models, draws) of the models' scores."""
    random = np.random.default_rng(7)
    b = random.multivariate_normal(slopes.mean, slopes.covariance, draws)
    return x @ b.T + slopes.variance**0.5 * random.normal(size=(len(x), draws))


@pytest.mark.parametrize("models", [1, 2, 10, 300])
def test_the_chances_are_how_often_a_model_is_the_best_of_drawn_scores(models: int) -> None:
    x = some_features(models, models)
    best = drawn(x, DEFAULT_SLOPES, 40_000).argmax(axis=0)
    expected = np.bincount(best, minlength=models) / 40_000
    found = chances_of_best(x, DEFAULT_SLOPES)
    assert found.sum() == pytest.approx(1.0)
    assert found == pytest.approx(expected, abs=0.012)


def test_many_models_are_binned_without_loss() -> None:
    x = some_features(3, 700)
    # Each model twice has half its chance, whether they are binned (700) or not (200).
    few = chances_of_best(x[:100], DEFAULT_SLOPES)
    twice = chances_of_best(np.vstack([x[:100], x[:100]]), DEFAULT_SLOPES)
    assert twice[:100] == pytest.approx(twice[100:])
    assert np.corrcoef(few, twice[:100])[0, 1] > 0.99
    many = chances_of_best(x, DEFAULT_SLOPES)
    expected = np.bincount(drawn(x, DEFAULT_SLOPES, 40_000).argmax(axis=0), minlength=700) / 40_000
    assert many == pytest.approx(expected, abs=0.01)


def test_models_alike_have_equal_chances_and_better_ones_higher() -> None:
    x = np.array([[0.5, 0.1], [0.5, 0.1], [1.5, 0.1], [-1.0, -0.5]])
    chances = chances_of_best(x, DEFAULT_SLOPES)
    assert chances[0] == pytest.approx(chances[1])
    assert chances[2] > chances[0] > chances[3]
    assert chances_of_best(np.empty((0, 2)), DEFAULT_SLOPES).shape == (0,)


def test_each_of_the_set_raises_the_expected_best_the_most() -> None:
    x = some_features(5, 12)
    scores = drawn(x, DEFAULT_SLOPES, 100_000)
    found = best_set(x, DEFAULT_SLOPES, 4).tolist()
    chosen: list[int] = []
    for place in found:
        gains = [scores[[*chosen, other]].max(axis=0).mean() for other in range(len(x))]
        assert gains[place] > max(gains) - 0.005  # what the draws leave open
        chosen.append(place)
    assert found[0] == int(np.argmax(DEFAULT_SLOPES.scores(x)))


def test_a_set_prefers_models_that_win_by_different_slopes() -> None:
    """Two by the prior, and one by the proxy: where the slopes vary, the pair that differs is the better one."""
    slopes = Slopes(np.array([0.9, 0.25]), np.diag([1.0, 1.0]), 0.01)
    x = np.array([[1.0, 0.0], [0.99, 0.0], [0.0, 1.5]])
    assert best_set(x, slopes, 2).tolist() == [0, 2]
    certain = Slopes(slopes.mean, np.zeros((2, 2)), 0.01)
    assert best_set(x, certain, 2).tolist() == [0, 1]


def test_the_set_is_the_same_each_time_and_has_nobody_twice() -> None:
    x = some_features(6, 3_000)
    found = best_set(x, DEFAULT_SLOPES, 40)
    assert found.tolist() == best_set(x, DEFAULT_SLOPES, 40).tolist()
    assert len(set(found.tolist())) == 40
    assert sorted(best_set(x[:5], DEFAULT_SLOPES, 9).tolist()) == [0, 1, 2, 3, 4]
    assert best_set(x[:5], DEFAULT_SLOPES, 0).tolist() == []
