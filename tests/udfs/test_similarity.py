import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelstore.udfs import similarity
from modelstore.udfs.similarity import model_similarity, paired_similarities, similarities

score = st.floats(0, 1)
cell = st.one_of(score, st.just(np.nan))


def brute_force(a, b, k):
    both = sorted(abs(x - y) for x, y in zip(a, b, strict=True) if not (np.isnan(x) or np.isnan(y)))
    return 1 - sum(both[-k:]) / len(both[-k:]) if both else None


def matrix(rows, cells=cell):
    return arrays(np.float64, st.tuples(rows, st.just(7)), elements=cells)


def test_mean_of_the_k_largest_differences():
    a, b = [0.9, 0.5, 0.8, 0.1], [0.8, 0.9, 0.8, 0.4]  # differences 0.1, 0.4, 0, 0.3
    assert model_similarity(a, b, k=1) == pytest.approx(0.6)
    assert model_similarity(a, b, k=2) == pytest.approx(0.65)
    assert model_similarity(a, b, k=4) == pytest.approx(0.8)


def test_missing_cells_count_for_neither_model():
    assert model_similarity([0.9, None, 0.5], [0.4, 0.2, None], k=2) == pytest.approx(0.5)
    assert model_similarity([0.9, np.nan], [0.4, 0.2], k=2) == pytest.approx(0.5)


def test_no_dataset_in_common_is_none():
    assert model_similarity([0.9, None], [None, 0.9]) is None
    assert model_similarity([], []) is None


@given(matrix(st.integers(1, 4)), matrix(st.integers(1, 4)), st.integers(1, 9))
def test_all_pairs_agree_with_the_definition(left, right, k):
    found = similarities(left, right, k)
    assert found.shape == (len(left), len(right))
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            expected = brute_force(a, b, k)
            one = model_similarity(a, b, k)
            assert (one is None) == (expected is None)
            if expected is None:
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(expected)
                assert one == pytest.approx(expected)


@given(matrix(st.integers(1, 6)), st.integers(1, 9))
def test_a_matrix_with_itself_is_symmetric_with_ones_on_the_diagonal(scores, k):
    found = similarities(scores, scores, k)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found, similarities(scores, scores.copy(), k))
    np.testing.assert_array_equal(np.diagonal(found), np.where(np.isnan(scores).all(axis=1), np.nan, 1.0))


@given(matrix(st.just(2), score), st.permutations(range(7)), st.integers(1, 7))
def test_order_of_the_datasets_does_not_matter_and_larger_k_is_never_less_similar(scores, order, k):
    a, b = scores
    value = model_similarity(a, b, k)
    assert 0 <= value <= 1
    assert model_similarity(a[order], b[order], k) == pytest.approx(value)
    assert model_similarity(a, b, k + 1) >= value - 1e-12


def test_blocks_give_the_same_as_one_block(monkeypatch):
    random = np.random.default_rng(0)
    left, right = random.random((23, 6)), random.random((9, 6))
    left[random.random(left.shape) < 0.3] = np.nan
    whole, itself = similarities(left, right, 3), similarities(left, left, 3)
    monkeypatch.setattr(similarity, "BLOCK", 32)
    np.testing.assert_array_equal(similarities(left, right, 3), whole)
    np.testing.assert_array_equal(similarities(left, left, 3), itself)


@given(matrix(st.integers(1, 6)), st.integers(1, 9))
def test_single_precision_has_seven_digits(scores, k):
    found = similarities(scores, scores, k, np.float32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, similarities(scores, scores, k), atol=1e-6)


def test_arguments_are_left_as_they_were():
    scores = np.array([[0.3, np.nan, 0.9], [0.9, 0.1, 0.2]])
    before = scores.copy()
    similarities(scores, scores, 2)
    paired_similarities(scores, scores, 2)
    np.testing.assert_array_equal(scores, before)


def test_wrong_arguments_of_similarity_are_refused():
    with pytest.raises(ValueError, match="k must be at least 1"):
        model_similarity([0.1], [0.2], k=0)
    with pytest.raises(ValueError, match="same datasets"):
        model_similarity([0.1], [0.2, 0.3])
    with pytest.raises(ValueError, match="finite, or missing"):
        model_similarity([np.inf], [0.2])
    with pytest.raises(ValueError, match="must be numbers"):
        similarities([[0.1], [0.2, 0.3]], [[0.1]])
    with pytest.raises(ValueError, match="as many rows"):
        paired_similarities([[0.1], [0.2]], [[0.1]])
