import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from modelstore.udfs import silhouette as module
from modelstore.udfs.silhouette import silhouette


def points(rows, clusters, seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 4, (rows, 2)).astype(float)  # a few points coincide
    return np.linalg.norm(x[:, None] - x[None], axis=2), random.integers(0, clusters, rows)


@given(st.integers(3, 15), st.integers(2, 6), st.integers(0, 1000))
def test_agrees_with_another_implementation_wherever_that_is_defined(rows, clusters, seed):
    distances, labels = points(rows, clusters, seed)
    assume(2 <= len(set(labels)) < rows)
    assert silhouette(distances, labels) == pytest.approx(
        silhouette_score(distances, labels, metric="precomputed"), abs=1e-12
    )


@given(st.integers(3, 15), st.integers(0, 1000), st.sampled_from([1e-3, 1.0, 1e3]))
def test_order_unit_and_names_do_not_matter(rows, seed, unit):
    distances, labels = points(rows, 3, seed)
    assume(2 <= len(set(labels)) < rows)
    order = np.random.default_rng(seed).permutation(rows)
    value = silhouette(distances, labels)
    assert -1 <= value <= 1
    names = np.array(["z", "a", "m"])[labels[order]]
    assert silhouette(unit * distances[np.ix_(order, order)], names) == pytest.approx(value, abs=1e-9)


def test_blocks_give_the_same_as_one_block(monkeypatch):
    distances, labels = points(20, 4, 0)
    whole = silhouette(distances, labels)
    monkeypatch.setattr(module, "BLOCK_CELLS", 3 * 20)
    assert silhouette(distances, labels) == pytest.approx(whole, abs=1e-12)


def test_members_of_singletons_count_zero():
    distances = [[0, 0, 4], [0, 0, 4], [4, 4, 0]]
    assert silhouette(distances, ["a", "a", "b"]) == pytest.approx(2 / 3)


def test_an_undefined_silhouette_is_none():
    distances = [[0.0, 1.0], [1.0, 0.0]]
    assert silhouette(distances, ["a", "a"]) is None
    assert silhouette(distances, ["a", "b"]) is None
    assert silhouette([], []) is None


def test_the_diagonal_is_not_used_and_rounding_below_zero_is_let_pass():
    distances = np.array([[9.0, -1e-9, 4], [-1e-9, 9.0, 4], [4, 4, 9.0]])
    assert silhouette(distances, ["a", "a", "b"]) == pytest.approx(2 / 3)


def test_wrong_arguments_of_silhouette_are_refused():
    with pytest.raises(ValueError, match="square and non-negative"):
        silhouette([[0.0, 1.0]], ["a"])
    with pytest.raises(ValueError, match="square and non-negative"):
        silhouette([[0.0, -1.0], [-1.0, 0.0]], ["a", "b"])
    with pytest.raises(ValueError, match="distances must be finite"):
        silhouette([[0.0, np.nan], [np.nan, 0.0]], ["a", "b"])
    with pytest.raises(ValueError, match="one label a row"):
        silhouette([[0.0, 1.0], [1.0, 0.0]], ["a"])
