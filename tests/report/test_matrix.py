"""The dendrogram of a page, against scipy's average linkage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from modelstore.recall.distances import PerformanceDistances
from modelstore.recall.linkage import KeptDistances, dendrogram
from modelstore.report import matrix
from modelstore.report.contents import Tree
from modelstore.udfs.similarity import similarities

TOP_K = 3


def drawn(scores: NDArray[np.float64], clusters: NDArray[np.intp] | None = None) -> Tree:
    merges = dendrogram(KeptDistances(PerformanceDistances(scores, TOP_K)))
    names = [f"m{row}" for row in range(len(scores))]
    of = np.zeros(len(scores), int) if clusters is None else clusters
    return matrix._drawn(merges, names, np.nanmean(scores, axis=1), of, None)


def heights(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    distances = np.maximum(1 - similarities(scores, scores, TOP_K), 0)
    np.fill_diagonal(distances, 0)
    return np.asarray(linkage(squareform(distances, checks=False), "average")[:, 2])


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[np.float64]:
    models, datasets = draw(st.integers(2, 12)), draw(st.integers(1, 5))
    return np.random.default_rng(draw(st.integers(0, 999))).uniform(0, 1, (models, datasets))


@settings(deadline=None, max_examples=40)
@given(matrices())
def test_all_joins_are_drawn_at_their_heights_and_no_branches_cross(scores: NDArray[np.float64]) -> None:
    tree = drawn(scores)
    assert sorted(leaf.name for leaf in tree.leaves) == sorted(f"m{row}" for row in range(len(scores)))
    np.testing.assert_allclose([one.height for one in tree.mergers], heights(scores), rtol=1e-4, atol=1e-6)
    spans = [(place, place) for place in range(len(tree.leaves))]
    for merger in tree.mergers:
        (low, middle), (after, high) = sorted((spans[merger.first], spans[merger.second]))
        assert after == middle + 1  # neighbours
        spans.append((low, high))
    assert spans[-1] == (0, len(tree.leaves) - 1)


@settings(deadline=None, max_examples=25)
@given(matrices(), st.integers(2, 5))
def test_of_many_models_the_lowest_branches_are_leaves(scores: NDArray[np.float64], leaves: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "LEAVES", leaves)
        tree = drawn(scores)
    shown = min(leaves, len(scores))
    assert len(tree.leaves) == shown
    assert sum(leaf.models for leaf in tree.leaves) == len(scores) == tree.models
    expected = heights(scores)[len(scores) - shown :]
    np.testing.assert_allclose([one.height for one in tree.mergers], expected, rtol=1e-4, atol=1e-6)


def test_models_without_a_dataset_in_common_join_at_no_height() -> None:
    scores = np.array([[0.5, np.nan], [0.6, np.nan], [np.nan, 0.7]])
    tree = drawn(scores, np.array([1, 1, 2]))
    assert [one.height for one in tree.mergers] == [pytest.approx(0.1, abs=1e-6), None]
    assert {leaf.name: leaf.cluster for leaf in tree.leaves} == {"m0": 1, "m1": 1, "m2": 2}
