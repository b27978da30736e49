"""The priors against their definitions, and what they do where little is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.model_priors import PRIORS, choose, learned, mean, standardised
from modelstore.recall.scales import correlations, normal_scores, standardise


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


def test_normal_scores_tell_ranks_alone() -> None:
    scores = np.array([[0.1, 0.5], [0.9, 0.5], [0.2, np.nan]])
    assert normal_scores(scores)[:, 0] == pytest.approx([-0.9674, 0.9674, 0.0], abs=1e-4)
    assert normal_scores(scores)[:, 1] == pytest.approx([0.0, 0.0, np.nan], nan_ok=True)


def test_a_model_without_records_is_average_and_its_mean_unknown() -> None:
    scores = np.array([[0.2, 0.4], [0.6, 0.8], [np.nan, np.nan]])
    assert mean(scores)[:2].tolist() == pytest.approx([0.3, 0.7])
    assert np.isnan(mean(scores)[2])
    assert standardised(scores)[2] == 0.0


@pytest.mark.parametrize("shape", [(0, 0), (5, 0), (30, 2), (7, 20)])
def test_nothing_is_learned_of_too_few_datasets_or_models(shape: tuple[int, int]) -> None:
    assert np.isnan(learned(np.random.default_rng(0).uniform(size=shape))).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_learned_prior_is_the_conditional_mean_on_one_more_dataset_like_the_others(seed: int) -> None:
    scores = matrix(seed, models=30, datasets=6)
    x = normal_scores(scores)
    c = correlations(x, pseudo=3, to_mean=True)
    # A Gaussian of the six datasets and a new one, whose covariance with each is that one's mean with the others.
    joint = np.eye(7)
    joint[:6, :6] = c + 0.1 * np.eye(6)
    joint[6, :6] = joint[:6, 6] = [np.mean(np.delete(row, place)) for place, row in enumerate(c)]
    expected = []
    for row in x:
        [known] = np.nonzero(np.isfinite(row))
        expected.append(joint[6, known] @ np.linalg.inv(joint[np.ix_(known, known)]) @ row[known])
    found = learned(scores)
    assert np.nan_to_num(found) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("seed", range(3))
def test_the_learned_prior_finds_the_talented(seed: int) -> None:
    scores, talent = talented(seed)
    scores[np.random.default_rng(seed).random(scores.shape) < 0.3] = np.nan
    found = learned(scores)
    assert np.corrcoef(found, talent)[0, 1] > 0.8


def test_a_dataset_that_goes_with_no_other_says_little() -> None:
    scores, _ = talented(0, models=200, datasets=6)
    unrelated = np.random.default_rng(1).normal(size=(200, 2))
    change = {}
    for prior in (learned, standardised):
        one, other = (prior(np.hstack([scores, unrelated[:, [place]]])) for place in (0, 1))
        change[prior] = (one - other).std() / one.std()
    assert change[learned] < change[standardised] / 3


def test_texts_say_nothing_of_images_and_where_images_are_few_their_prior_is_standardised() -> None:
    texts, _ = talented(0, models=40, datasets=9)
    images, _ = talented(1, models=9, datasets=2)
    both = np.full((49, 11), np.nan)
    both[:40, :9], both[40:, 9:] = texts, images
    assert learned(both)[:40] == pytest.approx(learned(texts))
    assert np.isnan(learned(both)[40:]).all()
    assert PRIORS["learned"](both)[40:] == pytest.approx(standardised(images))


def test_as_many_datasets_as_are_conditioned_on_do() -> None:
    scores, talent = talented(2, models=60, datasets=80)
    found = learned(scores)
    assert np.corrcoef(found, talent)[0, 1] > 0.95


def test_replay_does_not_choose_the_mean_where_cells_are_missing_from_an_easy_dataset() -> None:
    scores, _ = talented(1, models=60)
    scores[:, 0] = 0.99 + 0.0001 * np.random.default_rng(0).normal(size=60)
    scores[:40, 0] = np.nan  # a plain mean favours the others, whatever they are
    name, regrets = choose(scores)
    assert name != "mean"
    assert regrets[name] < regrets["mean"]


@pytest.mark.parametrize("scores", [np.empty((0, 0)), np.full((3, 2), np.nan), np.full((9, 7), 0.5)])
def test_where_nothing_can_be_told_apart_the_simplest_prior_is_chosen(scores: np.ndarray) -> None:
    assert choose(scores)[0] == "mean"
