import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from modelstore.udfs.logme import logme


def greatest_evidence(features, target):
    """max over α, β of log N(y; 0, I/β + FFᵀ/α) / n, with no use of its algebra."""
    n = len(target)

    def loss(logs):
        covariance = np.eye(n) / np.exp(logs[1]) + features @ features.T / np.exp(logs[0])
        return -multivariate_normal(np.zeros(n), covariance).logpdf(target) / n

    starts = ([0.0, 0.0], [4.0, 1.0], [-3.0, 3.0])
    return -min(minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6}).fun for start in starts)


def problem(rows, width, seed=0, noise=0.5):
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, width))
    return features, features @ random.normal(size=width) + noise * random.normal(size=rows)


@pytest.mark.parametrize(("rows", "width"), [(40, 3), (25, 8), (12, 12), (10, 30)])
def test_a_regression_has_the_greatest_evidence_of_the_marginal_likelihood(rows, width):
    features, target = problem(rows, width)
    assert logme(features, target, regression=True) == pytest.approx(
        greatest_evidence(features, target), abs=1e-4
    )


@pytest.mark.parametrize(("rows", "width"), [(40, 3), (20, 50)])
def test_classes_have_the_mean_of_their_columns_evidence(rows, width):
    features, target = problem(rows, width)
    labels = np.digitize(target, np.quantile(target, [0.3, 0.7]))
    expected = np.mean([greatest_evidence(features, (labels == label).astype(float)) for label in range(3)])
    assert logme(features, labels) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(3, 20), st.integers(1, 30))
def test_order_of_rows_and_turning_the_features_do_not_matter(seed, rows, width):
    features, target = problem(rows, width, seed)
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    turned = features @ np.linalg.qr(random.normal(size=(width, width)))[0]
    for labels, regression in ((target, True), (np.arange(rows) % 2, False)):
        value = logme(features, labels, regression)
        assert np.isfinite(value)
        assert logme(turned[order], labels[order], regression) == pytest.approx(value, rel=1e-5, abs=1e-5)


@given(st.integers(0, 1000), st.sampled_from([1e-3, 10.0, 1e4]))
def test_the_unit_of_a_regression_target_shifts_the_evidence_by_its_logarithm(seed, unit):
    features, target = problem(30, 4, seed)
    scaled = logme(features, unit * target, regression=True)
    assert scaled + np.log(unit) == pytest.approx(logme(features, target, regression=True), abs=1e-3)


def test_better_features_have_more_evidence():
    features, target = problem(200, 5)
    noisy = features + np.random.default_rng(1).normal(size=features.shape)
    assert logme(features, target, regression=True) > logme(noisy, target, regression=True) + 0.1
    assert logme(features, target > 0) > logme(noisy, target > 0) + 0.05


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(5, 25), st.integers(1, 40), st.sampled_from([1e-8, 1e-3, 1e3, 1e8]))
def test_no_precisions_have_more_evidence(seed, rows, width, unit):
    """Over a dense square of α and β, by the determinant and the inverse of the covariance itself."""
    features, target = problem(rows, width, seed)
    greatest = -np.inf
    for log_ratio in np.linspace(-12, 12, 49):
        covariance = np.eye(rows) + features @ features.T * np.exp(log_ratio)
        determinant = np.linalg.slogdet(covariance)[1]
        quadratic = target @ np.linalg.solve(covariance, target)
        for log_noise in np.log(quadratic / rows) + np.linspace(-1, 1, 21):
            density = rows * (np.log(2 * np.pi) + log_noise) + determinant + quadratic / np.exp(log_noise)
            greatest = max(greatest, -0.5 * density / rows)
    value = logme(features * unit, target, regression=True)
    assert value >= greatest - 1e-5
    assert value <= greatest + 0.05


def test_features_of_zeros_have_the_evidence_of_noise():
    target = np.array([1.0, -2.0, 0.5, 1.5])
    expected = -0.5 * (np.log(2 * np.pi * (target**2).mean()) + 1)
    assert logme(np.zeros((4, 2)), target, regression=True) == pytest.approx(expected)


def test_a_perfect_fit_is_finite_and_beats_any_other():
    features, target = problem(30, 4, noise=0.0)
    perfect = logme(features, target, regression=True)
    assert np.isfinite(perfect)
    assert perfect > logme(features + 0.01, target, regression=True) + 1
    assert np.isfinite(logme(np.ones((5, 1)), ["a"] * 5))


def test_columns_that_repeat_others_are_no_hindrance():
    features, target = problem(20, 3)
    twice = np.column_stack([features, features])
    # Each weight is shared by two columns: the same model with α doubled.
    assert logme(twice, target, regression=True) == pytest.approx(
        logme(features, target, regression=True), abs=1e-3
    )


@pytest.mark.parametrize(
    ("features", "labels", "regression", "message"),
    [
        ([], [], False, "at least one row"),
        ([[1.0], [np.nan]], [0, 1], False, "features must be finite"),
        ([[1.0], [2.0]], [0, 1, 2], False, "one label a row"),
        ([[1.0], [2.0]], [0.5, 1.5], False, "labels must be classes"),
        ([[1.0], [2.0]], [0.5, 1.5, 2.5], True, "one target a row"),
        ([[1.0], [2.0]], [0.5, np.nan], True, "target must be finite"),
        ([[1.0], [2.0]], [0.0, 0.0], True, "zero throughout"),
        ([[1.0], [2.0]], ["a", "b"], True, "target must be a matrix of numbers"),
    ],
)
def test_wrong_arguments_of_logme_are_refused(features, labels, regression, message):
    with pytest.raises(ValueError, match=message):
        logme(features, labels, regression)
