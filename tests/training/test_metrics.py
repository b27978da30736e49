"""The metrics, compared with scikit-learn, scipy and their definitions."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from modelstore.training.metrics import METRICS, score

pairs_of_classes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)
numbers = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
pairs_of_numbers = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30)


@settings(deadline=None)
@given(pairs_of_classes)
def test_metrics_of_classes_equal_their_definitions(pairs: list[tuple[int, int]]) -> None:
    predictions, labels = np.array(pairs).T
    assert score("accuracy", predictions, labels) == pytest.approx(sum(p == y for p, y in pairs) / len(pairs))

    f1 = []
    for c in {c for pair in pairs for c in pair}:
        hits = sum(p == y == c for p, y in pairs)
        f1.append(2 * hits / (sum(p == c for p, _ in pairs) + sum(y == c for _, y in pairs)))
    assert score("f1_macro", predictions, labels) == pytest.approx(np.mean(f1))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single class
        expected = metrics.matthews_corrcoef(labels, predictions)
    assert score("matthews", predictions, labels) == pytest.approx(expected)
    # For two classes it is Pearson's correlation of the indicators.
    binary = (predictions > 1).astype(float), (labels > 1).astype(float)
    assert score("matthews", *binary) == pytest.approx(score("pearson", *binary), abs=1e-12)


@settings(deadline=None)
@given(pairs_of_numbers)
def test_correlations_equal_those_of_scipy(pairs: list[tuple[float, float]]) -> None:
    predictions, labels = np.array(pairs).T
    for metric, reference in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        value = score(metric, predictions, labels)
        assert -1 <= value <= 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = reference(predictions, labels).statistic
        near_constant = min(np.ptp(predictions), np.ptp(labels)) < 1e-6 * np.abs(pairs).max()
        if not np.isnan(expected) and not (metric == "pearson" and near_constant):
            assert value == pytest.approx(expected, abs=1e-6)
        assert score(metric, labels, predictions) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("metric", ["pearson", "spearman", "matthews"])
def test_correlations_with_a_constant_are_zero(metric: str) -> None:
    labels = np.array([0, 1, 2, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score(metric, np.ones(4, int), labels) == 0.0
        assert score(metric, labels, np.ones(4, int)) == 0.0
        assert score(metric, np.ones(4, int), np.ones(4, int)) == 0.0


def test_perfect_predictions_score_1_and_extreme_values_stay_finite() -> None:
    labels = np.array([0, 1, 2, 1])
    assert [score(metric, labels, labels) for metric in METRICS] == pytest.approx([1] * 5)
    assert score("spearman", np.exp(labels), labels) == pytest.approx(1)
    assert score("pearson", -3 * labels + 1e9, labels) == pytest.approx(-1)
    assert score("pearson", labels * 1e300, labels * 1e-300) == pytest.approx(1)


def test_a_class_that_is_never_predicted_counts_in_f1() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score("f1_macro", np.array([0, 0, 0]), np.array([0, 0, 1])) == pytest.approx(0.8 / 2)


def test_an_unknown_metric_raises_value_error() -> None:
    with pytest.raises(ValueError, match="unknown metric 'rmse': one of accuracy, "):
        score("rmse", np.ones(1), np.ones(1))
