import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf

from modelstore.udfs.hscore import hscore


def problem(rows, width, classes=3, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    turn = random.normal(size=(width, width))
    return (random.normal(size=(classes, width))[labels] + random.normal(size=(rows, width))) @ turn, labels


def by_its_definition(features, labels):
    covariance, alpha = ledoit_wolf(features)
    means = np.stack([features[labels == label].mean(axis=0) for label in labels])
    between = np.atleast_2d(np.cov(means, rowvar=False, bias=True))
    return np.trace(np.linalg.inv(covariance) @ ((1 - alpha) * between))


@pytest.mark.parametrize(("rows", "width"), [(300, 1), (300, 2), (100, 20), (15, 15), (20, 60)])
def test_hscore_agrees_with_its_definition(rows, width):
    features, labels = problem(rows, width)
    value = hscore(features, labels)
    assert value > 0.01
    assert value == pytest.approx(by_its_definition(features, labels), rel=1e-6)


@given(st.integers(0, 1000), st.integers(1, 25), st.integers(1, 30), st.integers(1, 5))
def test_lies_between_zero_and_one_less_than_the_classes(seed, rows, width, classes):
    features, labels = problem(rows, width, classes, seed)
    assert -1e-9 <= hscore(features, labels) <= len(set(labels)) - 1 + 1e-9


@given(st.integers(0, 1000), st.sampled_from([1e-4, 1.0, 1e4]))
def test_order_unit_origin_and_rotation_do_not_matter(seed, unit):
    features, labels = problem(25, 6, seed=seed)
    random = np.random.default_rng(seed)
    order = random.permutation(25)
    turned = (features @ np.linalg.qr(random.normal(size=(6, 6)))[0] + 3.0) * unit
    assert hscore(turned[order], labels[order]) == pytest.approx(hscore(features, labels), rel=1e-6)


def test_classes_far_apart_approach_one_less_than_their_number():
    labels = np.arange(300) % 3
    features = np.eye(3)[labels] * 1000 + np.random.default_rng(0).normal(size=(300, 3))
    assert hscore(features, labels) == pytest.approx(2, abs=0.05)


def test_one_class_and_constant_features_score_zero():
    assert hscore([[1.0, 2.0], [3.0, 1.0], [0.5, 0.7]], ["a"] * 3) == pytest.approx(0, abs=1e-12)
    assert hscore(np.full((7, 3), 0.1), [0, 1, 0, 1, 0, 1, 1]) == 0


def test_wrong_arguments_of_hscore_are_refused():
    with pytest.raises(ValueError, match="features must be finite"):
        hscore([[1.0], [np.inf]], [0, 1])
    with pytest.raises(ValueError, match="one label a row"):
        hscore([[1.0], [2.0]], [0])
