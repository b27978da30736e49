"""What the formulas make of degenerate input: the limit that their docstrings name, or an error."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep
from modelstore.udfs.silhouette import silhouette

ON_FEATURES = (nleep, logme, hscore, knn_accuracy)
ALL = (leep, silhouette, *ON_FEATURES)


def names(formulas):
    return pytest.mark.parametrize("formula", formulas, ids=lambda formula: formula.__name__)


@names(ALL)
@pytest.mark.parametrize(
    ("matrix", "labels", "message"),
    [
        ([[0.5, 0.5], [1.0]], [0, 1], "rows of one length"),
        ([[0.5, "a"], [0.5, 0.5]], [0, 1], "matrix of numbers"),
        ([[0.5, math.nan], [0.5, 0.5]], [0, 1], "finite"),
        ([[0.5, None], [0.5, 0.5]], [0, 1], "finite"),
        ([[0.5, math.inf], [0.5, 0.5]], [0, 1], "finite"),
        ([0.5, 0.5], [0, 1], "two dimensions"),
        ([], [0], "at least one row and one column"),
        ([[]], [0], "at least one row and one column"),
        ([[0.5, 0.5], [0.5, 0.5]], [0], "one label a row"),
        ([[0.5, 0.5], [0.5, 0.5]], [[0], [1]], "one label a row"),
        ([[0.5, 0.5], [0.5, 0.5]], [0, None], "labels must be classes"),
        ([[0.5, 0.5], [0.5, 0.5]], ["a", None], "labels must be classes"),
        ([[0.5, 0.5], [0.5, 0.5]], [0.0, 0.5], "labels must be classes"),
    ],
)
def test_input_of_no_meaning_is_refused_in_one_sentence(formula, matrix, labels, message):
    with pytest.raises(ValueError, match=message):
        formula(matrix, labels)


@names((leep, *ON_FEATURES))
def test_no_rows_are_refused(formula):
    with pytest.raises(ValueError, match="at least one row"):
        formula([], [])


def test_one_class_is_the_limit_of_each():
    features = np.random.default_rng(0).normal(size=(12, 3))
    theta = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    assert leep(theta, ["a"] * 12) == pytest.approx(0, abs=1e-12)
    assert nleep(features, ["a"] * 12) == 0
    assert hscore(features, ["a"] * 12) == pytest.approx(0, abs=1e-12)
    assert knn_accuracy(features, ["a"] * 12) == 1
    assert silhouette(np.ones((12, 12)), ["a"] * 12) is None
    assert np.isfinite(logme(features, ["a"] * 12))


def test_one_row_is_the_limit_of_each():
    assert leep([[0.3, 0.7]], ["a"]) == pytest.approx(0)
    assert nleep([[1.0, 2.0]], ["a"]) == 0
    assert hscore([[1.0, 2.0]], ["a"]) == 0
    assert np.isfinite(logme([[1.0, 2.0]], ["a"]))
    assert silhouette([[0.0]], ["a"]) is None
    with pytest.raises(ValueError, match="at least two rows"):
        knn_accuracy([[1.0, 2.0]], ["a"])


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(-1e6, 1e6), st.integers(0, 100))
def test_constant_features_say_nothing(width, value, seed):
    labels = np.random.default_rng(seed).integers(0, 3, 20)
    features = np.full((20, width), value)
    shares = np.bincount(labels) / 20
    shares = shares[shares > 0]
    assert hscore(features, labels) == 0
    assert nleep(features, labels) == pytest.approx((shares * np.log(shares)).sum())
    # As good as one constant column, or none where the constant is 0.
    assert logme(features, labels) == pytest.approx(logme(np.full((20, 1), float(value != 0)), labels))


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(13, 60), st.integers(0, 1000))
def test_more_features_than_rows_keep_the_bounds(rows, width, seed):
    random = np.random.default_rng(seed)
    features, labels = random.normal(size=(rows, width)), random.integers(0, 3, rows)
    classes = len(set(labels))
    assert nleep(features, labels) <= 0
    assert -1e-9 <= hscore(features, labels) <= classes - 1 + 1e-9
    assert 0 <= knn_accuracy(features, labels) <= 1
    assert np.isfinite(logme(features, labels))


@names(ON_FEATURES)
@pytest.mark.parametrize("unit", [2.0**-900, 2.0**-30, 2.0**30, 2.0**900])
@pytest.mark.parametrize("width", [4, 60])
def test_the_unit_of_the_features_does_not_matter_however_large_or_small(formula, unit, width):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 40)
    features = random.normal(size=(3, width))[labels] + random.normal(size=(40, width))
    assert formula(features * unit, labels) == pytest.approx(formula(features, labels), rel=1e-6)


@names((leep, *ON_FEATURES))
def test_labels_of_any_sort_score_alike(formula):
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, 40)
    features = random.dirichlet(np.ones(4), 40)
    expected = formula(features, codes)
    for labels in (codes.astype(float), codes - 7, codes.astype(np.uint8), np.array(["b", "a", "c"])[codes]):
        assert formula(features, labels) == pytest.approx(expected)
    assert formula(features, np.array(["b", "a", "c"], object)[codes]) == pytest.approx(expected)


@names((leep, *ON_FEATURES))
def test_arguments_are_left_as_they_were(formula):
    features = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    labels = np.arange(30) % 3
    before = features.copy(), labels.copy()
    formula(features, labels)
    np.testing.assert_array_equal(features, before[0])
    np.testing.assert_array_equal(labels, before[1])
