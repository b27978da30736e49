"""Average linkage from neighbours alone, and the search for neighbours, against all pairs by brute force."""

import numpy as np
import pytest
from by_scipy import groups, linked
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall import agglomeration, distances
from modelstore.recall.agglomeration import agglomerate
from modelstore.recall.clustering import hierarchical, sampled
from modelstore.recall.distances import FAR, CosineDistances, PerformanceDistances, search
from modelstore.recall.silhouettes import silhouette_of
from modelstore.udfs.silhouette import silhouette
from modelstore.udfs.similarity import model_similarity


def scores_of(seed: int, models: int, datasets: int = 6, missing: float = 0.3) -> np.ndarray:
    """Scores around a few centres, some missing, some models alike to the last digit."""
    random = np.random.default_rng(seed)
    centres = random.uniform(0.3, 0.9, (4, datasets))
    scores = centres[random.integers(0, 4, models)] + random.normal(0, 0.04, (models, datasets))
    scores[random.random(scores.shape) < missing] = np.nan
    scores[-1] = scores[0]
    return scores


def all_distances(by: PerformanceDistances | CosineDistances) -> np.ndarray:
    everyone = np.arange(len(by))
    return by.between(everyone, everyone)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 9), st.floats(0, 0.3))
def test_the_neighbours_found_are_all_pairs_within_the_threshold(
    seed: int, models: int, k: int, threshold: float
) -> None:
    by = PerformanceDistances(scores_of(seed, models), k)
    found = search(by, threshold, most=models**2)
    assert found is not None
    left, right = np.nonzero(np.triu(all_distances(by) <= threshold, 1))
    assert (found.left.tolist(), found.right.tolist()) == (left.tolist(), right.tolist())


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_neighbours_are_found_whatever_the_unit_of_the_scores(unit: float) -> None:
    scores = scores_of(0, 60) * [1, 10, 100, 1, 1, 1] * unit
    by = PerformanceDistances(scores, 5)
    distances_there = all_distances(by)
    threshold = float(np.median(distances_there[distances_there < FAR]))
    found = search(by, threshold, most=3600)
    assert found is not None
    assert len(found) == np.triu(distances_there <= threshold, 1).sum()


def test_neighbours_in_blocks_are_those_of_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    by = PerformanceDistances(scores_of(1, 50), 3)
    whole = search(by, 0.1, most=2500)
    monkeypatch.setattr(distances, "COLUMNS", 7)
    monkeypatch.setattr(distances, "PAIRS", 16)
    blocks = search(by, 0.1, most=2500)
    assert whole is not None
    assert blocks is not None
    np.testing.assert_array_equal(whole.left, blocks.left)
    np.testing.assert_array_equal(whole.right, blocks.right)
    np.testing.assert_array_equal(whole.mean, blocks.mean)


def test_too_many_neighbours_are_not_gathered() -> None:
    by = PerformanceDistances(scores_of(1, 50), 3)
    assert search(by, 1.0, most=500) is None


def test_distances_are_those_of_the_similarity_and_far_where_it_is_unknown() -> None:
    scores = scores_of(2, 20, missing=0.6)
    by = PerformanceDistances(scores, 5)
    found = all_distances(by)
    left, right = np.triu_indices(20)
    np.testing.assert_allclose(by.pairs(left, right), found[left, right], atol=1e-12)
    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        similarity = model_similarity(scores[i], scores[j])
        assert found[i, j] == (FAR if similarity is None else pytest.approx(1 - similarity, abs=1e-12))


def test_cosine_distances_and_their_neighbours() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    vectors[3] = np.nan
    by = CosineDistances(vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = 1 - unit @ unit.T
    expected[3], expected[:, 3] = FAR, FAR
    np.testing.assert_allclose(all_distances(by), np.maximum(expected, 0), atol=1e-12)
    found = search(by, 0.5, most=900)
    assert found is not None
    left, right = np.nonzero(np.triu(expected <= 0.5, 1))
    assert (found.left.tolist(), found.right.tolist()) == (left.tolist(), right.tolist())


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(0.01, 0.3))
def test_agglomeration_from_neighbours_gives_the_clusters_of_all_pairs(
    seed: int, models: int, threshold: float
) -> None:
    by = PerformanceDistances(scores_of(seed, models), 3)
    edges = search(by, threshold, most=models**2)
    assert edges is not None
    assert groups(agglomerate(by, edges, threshold)) == groups(linked(by, threshold))


def test_agglomeration_in_blocks_is_that_in_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    by = PerformanceDistances(scores_of(3, 80), 3)
    whole = hierarchical(by, 0.12)
    monkeypatch.setattr(agglomeration, "PAIRS", 5)
    np.testing.assert_array_equal(hierarchical(by, 0.12), whole)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.2))
def test_the_order_of_the_models_does_not_matter(seed: int, threshold: float) -> None:
    scores = scores_of(seed, 40)
    order = np.random.default_rng(seed).permutation(40)
    labels = np.empty(40, np.intp)
    labels[order] = hierarchical(PerformanceDistances(scores[order], 5), threshold)
    assert groups(labels) == groups(hierarchical(PerformanceDistances(scores, 5), threshold))


def test_a_sample_finds_clear_clusters_and_those_that_it_has_no_member_of() -> None:
    random = np.random.default_rng(0)
    kinds = np.concatenate([np.repeat([0, 1, 2], 60), [3, 4]])
    scores = np.linspace(0.1, 0.9, 5)[kinds, None] + random.normal(0, 0.01, (len(kinds), 4))
    labels = sampled(PerformanceDistances(scores, 5), 0.09, size=20)
    assert groups(labels) == groups(kinds)


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(2, 5))
def test_the_silhouette_of_many_is_that_of_all_distances(seed: int, models: int, clusters: int) -> None:
    by = PerformanceDistances(scores_of(seed, models, missing=0.0), 3)
    labels = np.random.default_rng(seed).integers(0, clusters, models)
    assert silhouette_of(by, labels) == pytest.approx(silhouette(all_distances(by), labels), abs=1e-5)


def test_a_sampled_silhouette_is_near_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    by = PerformanceDistances(scores_of(5, 600, missing=0.0), 3)
    labels = hierarchical(by, 0.09)
    whole = silhouette_of(by, labels)
    monkeypatch.setattr("modelstore.recall.silhouettes.PAIRS", 600 * 150)
    part = silhouette_of(by, labels)
    assert whole is not None
    assert part is not None
    assert part != whole
    assert part == pytest.approx(whole, abs=0.1)
