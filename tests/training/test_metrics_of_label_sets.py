"""The metrics of several labels a row, compared with scikit-learn and their definitions."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from modelstore.tasks import LABELS, target_of
from modelstore.training.metrics import compared, score


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, with ties, and labels, of which some may occur nowhere."""
    rows, labels = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    probabilities = random.integers(0, draw(st.sampled_from([2, 5, 1000])), (rows, labels)) / 1000 * 2
    probabilities = np.clip(probabilities, 0, 1) if draw(st.booleans()) else random.random((rows, labels))
    return probabilities, random.random((rows, labels)) < draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))


@settings(deadline=None)
@given(problems())
def test_f1_equals_its_definition_and_that_of_scikit_learn(problem: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = problem
    predicted = probabilities >= 0.5
    hits = (predicted & labels).sum()
    wrong = (predicted != labels).sum()
    micro = 2 * hits / (2 * hits + wrong) if hits + wrong else 0.0
    assert score("f1_micro", probabilities, labels) == pytest.approx(micro)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = metrics.f1_score(labels.ravel(), predicted.ravel(), zero_division=0)
        each = np.array(
            [metrics.f1_score(y, p, zero_division=0) for y, p in zip(labels.T, predicted.T, strict=True)]
        )
        if labels.shape[1] > 1:
            both = metrics.f1_score(labels, predicted, average="micro", zero_division=0)
            assert both == pytest.approx(theirs)
    assert score("f1_micro", probabilities, labels) == pytest.approx(theirs)
    occurring = predicted.any(axis=0) | labels.any(axis=0)
    macro = each[occurring].mean() if occurring.any() else 0.0
    assert score("f1_macro", probabilities, labels) == pytest.approx(macro)


@settings(deadline=None)
@given(problems())
def test_average_precision_is_the_mean_over_the_labels_that_occur(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    probabilities, labels = problem
    found = score("average_precision", probabilities, labels)
    of_labels = []
    for p, y in zip(probabilities.T, labels.T, strict=True):
        if y.any():
            thresholds = sorted(set(p), reverse=True)
            recall = [0.0, *(y[p >= one].sum() / y.sum() for one in thresholds)]
            precision = [y[p >= one].mean() for one in thresholds]
            of_labels.append(sum(np.diff(recall) * precision))
    assert found == pytest.approx(np.mean(of_labels) if of_labels else 0.0)
    if labels.any(axis=0).all():
        assert found == pytest.approx(metrics.average_precision_score(labels, probabilities, average="macro"))


@pytest.mark.parametrize("metric", LABELS.metrics)
def test_perfect_predictions_score_1_also_where_a_label_occurs_nowhere(metric: str) -> None:
    labels = np.array([[True, False, False], [True, True, False], [False, False, False]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score(metric, np.where(labels, 0.9, 0.1), labels) == 1
        assert score(metric, np.full((3, 3), 0.2), np.zeros((3, 3), bool)) == 0


def test_a_metric_of_classes_is_none_of_label_sets() -> None:
    with pytest.raises(
        ValueError, match="unknown metric 'accuracy' of label sets: one of f1_micro, f1_macro"
    ):
        score("accuracy", np.zeros((2, 2)), np.zeros((2, 2), bool))


def test_the_mean_of_probabilities_is_compared_as_the_task_says() -> None:
    scores = np.array([[0.6, 0.3], [0.2, 0.7]])
    assert compared(target_of("text_classification"), scores).tolist() == [0, 1]
    assert (compared(target_of("multi_label_classification"), scores) == scores).all()
