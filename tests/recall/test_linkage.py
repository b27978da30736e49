"""Average linkage by chains of nearest neighbours, from kept distances, against SciPy and the other road."""

import numpy as np
import pytest
from by_scipy import groups, linked
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from modelstore.interruption import stopped_by
from modelstore.recall import clustering
from modelstore.recall.agglomeration import agglomerate
from modelstore.recall.clustering import dense, hierarchical
from modelstore.recall.distances import FAR, CosineDistances, PerformanceDistances, search
from modelstore.recall.linkage import KeptDistances, cut, dendrogram, link


def scores_of(seed: int, models: int, missing: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.uniform(0.3, 0.9, (4, 6))
    scores = centres[random.integers(0, 4, models)] + random.normal(0, 0.04, (models, 6))
    scores[random.random(scores.shape) < missing] = np.nan
    return scores


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.0, 0.3), st.integers(1, 7), st.floats(0, 0.7)
)
def test_a_cut_is_that_of_average_linkage(
    seed: int, models: int, threshold: float, k: int, missing: float
) -> None:
    by = PerformanceDistances(scores_of(seed, models, missing), k)
    assert groups(cut(KeptDistances(by), threshold)) == groups(linked(by, threshold))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.5))
def test_a_cut_by_embeddings_is_that_of_average_linkage(seed: int, threshold: float) -> None:
    by = CosineDistances(np.random.default_rng(seed).normal(size=(40, 5)))
    assert groups(cut(KeptDistances(by), threshold)) == groups(linked(by, threshold))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_equal_distances_give_the_one_partition_that_any_order_of_merging_gives(
    seed: int, kinds: int
) -> None:
    """Models alike to the last digit, in kinds that are further apart than the threshold."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, kinds, 50)
    by = PerformanceDistances(np.repeat(kind[:, None] / 4, 3, axis=1), 5)
    assert groups(cut(KeptDistances(by), 0.2)) == groups(kind)


def test_a_mean_at_the_threshold_is_decided_in_float64() -> None:
    """Scores of two digits: 0.09 apart, which as a float32 is more than 0.09."""
    scores = np.array([[0.5], [0.59], [0.9]])
    by = PerformanceDistances(scores, 5)
    for threshold in (0.09, np.nextafter(0.09, 0), np.nextafter(0.09, 1), 0.09 + 1e-12, 0.09 - 1e-12):
        assert groups(cut(KeptDistances(by), threshold)) == groups(linked(by, threshold))
        near = search(by, threshold, most=9)
        assert near is not None
        assert groups(cut(KeptDistances(by), threshold)) == groups(agglomerate(by, near, threshold))


def test_small_distances_keep_their_digits() -> None:
    by = PerformanceDistances(np.array([[0.5], [0.5 + 1e-6], [0.5 + 3e-6]]) - 0.5, 5)
    assert groups(cut(KeptDistances(by), 1.5e-6)) == {frozenset([0, 1]), frozenset([2])}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_a_dendrogram_has_the_heights_of_average_linkage(seed: int, models: int) -> None:
    by = PerformanceDistances(scores_of(seed, models, missing=0.1), 3)
    everyone = np.arange(models)
    square = by.between(everyone, everyone)
    np.fill_diagonal(square, 0)
    found = dendrogram(KeptDistances(by))
    heights = linkage(squareform(square, checks=False), "average")[:, 2]
    np.testing.assert_allclose(np.sort(found.height), heights, rtol=1e-5, atol=1e-7)
    for threshold in (0.03, 0.08, 0.2):
        if not np.isclose(heights, threshold, rtol=1e-4).any():
            assert groups(found.labels(threshold)) == groups(linked(by, threshold))
    assert len(np.unique(found.labels())) == 1


def test_models_without_a_common_dataset_are_merged_last_of_all() -> None:
    by = PerformanceDistances(np.array([[0.5, np.nan], [0.51, np.nan], [np.nan, 0.5]]), 5)
    assert groups(cut(KeptDistances(by), 10.0)) == {frozenset([0, 1]), frozenset([2])}
    assert dendrogram(KeptDistances(by)).height[-1] >= FAR / 2


def test_kept_distances_are_the_distances() -> None:
    by = PerformanceDistances(scores_of(0, 50), 3)
    seen: list[int] = []
    kept = KeptDistances(by, seen.append)
    everyone, some = np.arange(50), np.array([4, 30, 2])
    whole = by.between(everyone, everyone)
    np.testing.assert_allclose(kept.between(some, everyone, np.float32), whole[some], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        kept.between(some, some, np.float32), whole[np.ix_(some, some)], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_array_equal(kept.between(some, everyone), whole[some])
    assert sum(seen) == 50 * 49 // 2


def test_many_neighbours_are_clustered_from_kept_distances_with_the_same_clusters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by = PerformanceDistances(scores_of(1, 300), 3)
    expected = hierarchical(by, 0.09)
    monkeypatch.setattr(clustering, "NEIGHBOURS", 5)
    monkeypatch.setattr(
        PerformanceDistances, "neighbours", None
    )  # it is seen from a few that a search is in vain
    assert groups(hierarchical(by, 0.09)) == groups(expected)
    labels, kept = dense(by, 0.09)
    assert isinstance(kept, KeptDistances)
    assert groups(labels) == groups(expected)


def test_linkage_stops_when_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    import duckdb

    event = threading.Event()
    event.set()
    square = np.random.default_rng(0).random((400, 400)).astype(np.float32)
    with stopped_by(event), pytest.raises(duckdb.InterruptException):
        link(square + square.T, np.inf, lambda one, other: True)
