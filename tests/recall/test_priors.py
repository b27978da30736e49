"""The priors against their definitions, and what they do where little is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.complements import greedy, recalled
from modelstore.recall.priors import choose, learned, mean, standardise, standardised


def matrix(seed: int, models: int = 12, datasets: int = 6, missing: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    scores = random.uniform(0.2, 0.9, (models, datasets))
    scores[random.random(scores.shape) < missing] = np.nan
    return scores


def talented(seed: int, models: int = 40, datasets: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Scores of models that differ in talent on datasets that differ in level, spread and noise; and the talent."""
    random = np.random.default_rng(seed)
    talent = random.normal(size=models)
    noise = random.normal(size=(models, datasets))
    spread = random.uniform(0.005, 0.1, datasets)
    return 0.5 + random.uniform(-0.3, 0.3, datasets) + spread * (talent[:, None] + 0.5 * noise), talent


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_standardised_prior_is_the_mean_z_as_if_one_more_dataset_had_said_zero(seed: int) -> None:
    scores = matrix(seed)
    expected = np.zeros(len(scores))
    for model, row in enumerate(scores):
        z = []
        for dataset, score in enumerate(row):
            known = [s for s in scores[:, dataset] if np.isfinite(s)]
            if np.isfinite(score) and np.std(known) > 1e-9:
                z.append((score - np.mean(known)) / np.std(known))
            elif np.isfinite(score):
                z.append(0.0)
        expected[model] = sum(z) / (len(z) + 1)
    assert standardised(scores) == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_unit_of_a_dataset_does_not_change_the_standardised_prior(
    seed: int, scale: float, shift: float
) -> None:
    scores = matrix(seed)
    other = scores.copy()
    other[:, 2] = other[:, 2] * scale + shift
    assert standardised(other) == pytest.approx(standardised(scores), abs=1e-6)


def test_a_dataset_where_all_score_alike_says_nothing() -> None:
    assert standardise(np.array([[0.5, 0.1], [0.5, np.nan]]))[:, 0].tolist() == [0.0, 0.0]


def test_a_model_without_records_is_average_and_its_mean_unknown() -> None:
    scores = np.array([[0.2, 0.4], [0.6, 0.8], [np.nan, np.nan]])
    assert mean(scores)[:2].tolist() == pytest.approx([0.3, 0.7])
    assert np.isnan(mean(scores)[2])
    assert standardised(scores)[2] == 0.0


@pytest.mark.parametrize("shape", [(0, 0), (5, 0), (30, 4), (7, 20)])
def test_the_ranker_is_not_fitted_on_too_few_datasets_or_models(shape: tuple[int, int]) -> None:
    scores = np.random.default_rng(0).uniform(size=shape)
    assert learned(scores, np.full(shape[0], np.nan)) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_ranker_finds_the_talented(seed: int) -> None:
    scores, talent = talented(seed)
    scores[np.random.default_rng(seed).random(scores.shape) < 0.3] = np.nan
    parameters = np.full(len(scores), np.nan)
    ranker = learned(scores, parameters)
    assert ranker is not None
    found = ranker.scores(scores, parameters)
    assert np.corrcoef(found, talent)[0, 1] > 0.8


def test_the_ranker_uses_the_size_of_models_where_that_tells() -> None:
    scores, talent = talented(0)
    scores[:20] = np.where(np.arange(9) < 2, scores[:20], np.nan)  # of these, little else is known
    parameters = 1e8 * np.exp(talent)
    by_size = learned(scores, parameters)
    without = learned(scores, np.full(40, np.nan))
    assert by_size is not None
    assert without is not None
    apart = [
        np.corrcoef(ranker.scores(scores, p), talent)[0, 1]
        for ranker, p in ((by_size, parameters), (without, np.full(40, np.nan)))
    ]
    assert apart[0] > apart[1]


def test_replay_chooses_the_standardised_prior_where_cells_are_missing_from_an_easy_dataset() -> None:
    scores, _ = talented(1, models=60)
    scores[:, 0] = 0.99 + 0.0001 * np.random.default_rng(0).normal(size=60)
    scores[:40, 0] = np.nan  # a plain mean favours the others, whatever they are
    name, regrets = choose(scores, np.full(60, np.nan))
    assert name != "mean"
    assert regrets[name] < regrets["mean"]


@pytest.mark.parametrize("scores", [np.empty((0, 0)), np.full((3, 2), np.nan), np.full((9, 7), 0.5)])
def test_where_nothing_can_be_told_apart_the_simplest_prior_is_chosen(scores: np.ndarray) -> None:
    assert choose(scores, np.full(len(scores), np.nan))[0] == "mean"


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_complements_raise_the_mean_of_the_best_most_one_by_one(seed: int, count: int) -> None:
    z = standardise(matrix(seed, models=8))
    prior = np.random.default_rng(seed).normal(size=8)
    residuals = np.nan_to_num(
        z - [[np.mean(row[np.isfinite(row)] if np.isfinite(row).any() else 0)] for row in z]
    )
    expected = prior[:, None] + residuals
    chosen: list[int] = []
    for _ in range(count):
        worth = {
            model: expected[[*chosen, model]].max(axis=0).mean() + 1e-6 * prior[model]
            for model in range(8)
            if model not in chosen
        }
        chosen.append(max(worth, key=lambda model: worth[model]))
    assert greedy(z, prior, count, []) == chosen


def test_clones_of_the_best_give_way_to_a_model_that_is_good_elsewhere() -> None:
    z = np.array([[1.0, 1.0, -0.5], [0.9, 1.0, -0.5], [-0.5, -0.5, 2.0]])
    prior = standardised(z)
    assert recalled(z, prior, 2) == [0, 1]
    assert recalled(z, prior, 2, complementary=True) == [0, 2]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.booleans(), st.booleans())
def test_nobody_is_recalled_twice_and_the_first_stands_first(
    seed: int, count: int, complementary: bool, given_first: bool
) -> None:
    z = standardise(matrix(seed, models=10))
    prior = np.random.default_rng(seed).normal(size=10)
    found = recalled(z, prior, count, complementary, first=3 if given_first else None)
    assert len(found) == len(set(found)) == min(count, 10) or (count == 0 and len(found) <= 1)
    if given_first and found:
        assert found[0] == 3
