"""How alike datasets are, against brute force and under what must not change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from modelstore.recall.dataset_similarity import (
    LEAST_MODELS,
    cosine,
    mean_direction,
    names_in_words,
    similarity_by_results,
    with_labels,
)

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> np.ndarray:
    """(models, datasets) with ties and missing cells."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, random.integers(2, 30), (random.integers(1, 12), random.integers(1, 6)))
    return np.where(random.random(scores.shape) < 0.3, np.nan, scores.astype(float))


def by_definition(scores: np.ndarray, one: int, other: int) -> float:
    """Σ x y / (√(Σ x² Σ y²) + 1) of van der Waerden's scores, dataset by dataset and model by model."""
    z = np.full(scores.shape, np.nan)
    for column, of_dataset in enumerate(scores.T):
        known = np.flatnonzero(np.isfinite(of_dataset))
        if len(known):
            z[known, column] = norm.ppf((rankdata(of_dataset[known]) - 0.5) / len(known))
    common = np.isfinite(z[:, one]) & np.isfinite(z[:, other])
    if common.sum() < LEAST_MODELS:
        return np.nan
    x, y = (z[common, column] - z[common, column].mean() for column in (one, other))
    length = np.sqrt((x @ x) * (y @ y))
    return (x @ y) / (length + 1) if length > 1e-9 else np.nan


@given(seeds)
@settings(max_examples=60)
def test_the_similarity_by_results_is_the_shrunk_correlation_of_normal_scores(seed: int) -> None:
    scores = drawn(seed)
    similarity, models = similarity_by_results(scores, target=0)
    known = np.isfinite(scores)
    assert models.tolist() == (known & known[:, [0]]).sum(axis=0).tolist()
    expected = [by_definition(scores, 0, other) for other in range(scores.shape[1])]
    np.testing.assert_allclose(similarity, expected, atol=1e-9)


@given(seeds)
@settings(max_examples=40)
def test_only_the_order_of_models_counts_and_datasets_are_alike_both_ways(seed: int) -> None:
    scores = drawn(seed)
    similarity, _ = similarity_by_results(scores, target=0)
    np.testing.assert_allclose(similarity_by_results(np.exp(scores / 9), target=0)[0], similarity, atol=1e-9)
    for other in range(scores.shape[1]):
        back, _ = similarity_by_results(scores, target=other)
        assert back[0] == pytest.approx(similarity[other], nan_ok=True)
    assert (np.abs(similarity[np.isfinite(similarity)]) < 1).all()


def test_more_models_in_the_same_order_say_more() -> None:
    same = [similarity_by_results(np.tile(np.arange(n)[:, None], 2), 0)[0][1] for n in (3, 10, 100)]
    assert same == sorted(same)
    assert same[0] < 0.7 < 0.95 < same[2] < 1


def test_datasets_on_which_all_models_are_level_say_nothing() -> None:
    scores = np.array([[0.1, 0.5], [0.2, 0.5], [0.3, 0.5]])
    assert np.isnan(similarity_by_results(scores, 0)[0][1])


@given(seeds)
def test_the_mean_direction_is_the_mean_of_unit_rows_whatever_their_lengths(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(5, 4))
    expected = np.mean([row / np.linalg.norm(row) for row in rows], axis=0)
    np.testing.assert_allclose(mean_direction(rows * random.uniform(0.1, 9, (5, 1))), expected, atol=1e-6)


def test_a_row_of_zeros_has_no_direction_and_spoils_no_mean() -> None:
    assert mean_direction(np.array([[0.0, 0.0], [0.0, 2.0]])).tolist() == [0.0, 0.5]
    assert np.isnan(cosine(np.zeros(2), np.ones(2)))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["card_arrival", "card-linking"], ["card arrival", "card linking"]),
        (["B-PER", "O"], ["B PER", "O"]),
        (["0", "1"], []),
        (["LABEL_0", "LABEL_1"], []),
        (["class 1", "class 2"], []),
        (["négatif", "positif"], ["négatif", "positif"]),
        (["good", "3"], []),
        (["+", "-"], []),
        (["a_b", "a-b"], ["a b"]),
        ([], []),
    ],
)
def test_names_of_labels_count_where_they_are_words(labels: list[str], words: list[str]) -> None:
    assert names_in_words(labels) == words


def test_a_dataset_without_names_of_labels_counts_as_the_mean_of_the_others() -> None:
    nan = float("nan")
    assert with_labels([0.8, 0.4, 0.2], [0.5, nan, 0.1]) == pytest.approx([0.65, 0.35, 0.15])
    assert with_labels([0.8, 0.4], [nan, nan]).tolist() == [0.8, 0.4]
