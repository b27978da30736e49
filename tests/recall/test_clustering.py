"""Clusterings against naive agglomeration, and their representatives."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from by_scipy import groups, linked
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.clustering import filled, hierarchical, kmeans, summarise
from modelstore.recall.distances import Distances, PerformanceDistances


def naive_average_linkage(distances: np.ndarray, threshold: float) -> set[frozenset[int]]:
    """Merges the two nearest clusters, by mean distance over pairs, until they are further than the cut."""
    clusters = [frozenset([row]) for row in range(len(distances))]
    while len(clusters) > 1:
        apart, one, other = min(
            (np.mean([distances[i, j] for i in a for j in b]), tuple(sorted(a)), tuple(sorted(b)))
            for a, b in itertools.combinations(clusters, 2)
        )
        if apart > threshold:
            break
        clusters = [c for c in clusters if tuple(sorted(c)) not in (one, other)]
        clusters.append(frozenset(one) | frozenset(other))
    return set(clusters)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0.05, 0.6))
def test_hierarchical_is_average_linkage_cut_at_the_threshold(
    seed: int, count: int, threshold: float
) -> None:
    scores = np.random.default_rng(seed).uniform(size=(count, 3))
    by = PerformanceDistances(scores, k=2)
    everyone = np.arange(count)
    expected = naive_average_linkage(by.between(everyone, everyone), threshold)
    assert groups(hierarchical(by, threshold)) == expected
    assert groups(linked(by, threshold)) == expected


@pytest.mark.parametrize("method", [hierarchical, linked])
def test_models_without_a_common_dataset_are_never_merged(
    method: Callable[[Distances, float], np.ndarray],
) -> None:
    scores = np.array([[0.5, np.nan], [0.51, np.nan], [np.nan, 0.5]])
    assert groups(method(PerformanceDistances(scores, 5), 10.0)) == {frozenset([0, 1]), frozenset([2])}


def test_kmeans_groups_alike_rows_and_survives_missing_cells() -> None:
    scores = np.array([[0.9, 0.9], [0.91, np.nan], [0.1, 0.1], [0.12, 0.1]])
    assert groups(kmeans(scores, clusters=2, seed=0)) == {frozenset([0, 1]), frozenset([2, 3])}


def test_a_missing_cell_is_filled_by_its_datasets_mean() -> None:
    assert filled(np.array([[1.0, np.nan], [3.0, 4.0]])).tolist() == [[1.0, 4.0], [3.0, 4.0]]


def test_clusters_are_numbered_by_size_and_represented_by_their_best_model() -> None:
    labels = np.array([7, 3, 3, 7, 3, 9])
    means = np.array([0.5, 0.1, 0.3, 0.6, 0.2, np.nan])
    found = summarise(labels, means)
    assert found.labels.tolist() == [2, 1, 1, 2, 1, 3]
    assert found.representatives.tolist() == [3, 2, 2, 3, 2, 5]
    assert found.sizes.tolist() == [3, 2, 1]


@pytest.mark.parametrize("count", [0, 1])
def test_few_models_are_clusters_of_their_own(count: int) -> None:
    assert len(hierarchical(PerformanceDistances(np.zeros((count, 2)), 5), 0.1)) == count
