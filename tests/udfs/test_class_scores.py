"""Scores from counts against scikit-learn's of the classes themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from modelstore.udfs.class_scores import class_scores, f1_macro, f1_micro
from modelstore.udfs.matthews import matthews

CLASSES = 4


@st.composite
def predictions(draw):
    rows = draw(st.integers(1, 30))
    some = st.lists(st.integers(0, CLASSES - 1), min_size=rows, max_size=rows)
    return np.array(draw(some)), np.array(draw(some))


def counts(predicted, truth):
    right = truth[predicted == truth]
    return tuple(np.bincount(side, minlength=CLASSES).astype(float) for side in (right, predicted, truth))


@given(predictions())
def test_the_scores_of_classes_are_scikit_learn_s_where_they_are_defined(sides):
    predicted, truth = sides
    ours = class_scores(*counts(predicted, truth))
    theirs = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(CLASSES), zero_division=np.nan
    )
    for own, other in zip(ours, theirs[:3], strict=True):
        assert own == pytest.approx(other, nan_ok=True)


@given(predictions())
def test_the_means_over_classes_are_scikit_learn_s(sides):
    predicted, truth = sides
    of = counts(predicted, truth)
    assert f1_macro(*of) == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro", zero_division=0.0)
    )
    assert f1_micro(*of) == pytest.approx(metrics.accuracy_score(truth, predicted))
    one_class = len(set(truth)) == 1 or len(set(predicted)) == 1
    assert matthews(*of) == pytest.approx(0.0 if one_class else metrics.matthews_corrcoef(truth, predicted))


def test_many_counts_are_scored_at_once_and_none_is_an_error():
    some = np.array([[3.0, 0.0], [0.0, 0.0]])
    assert f1_macro(some, some + 1, some + 1).shape == (2,)
    nothing = np.zeros((1, 2))
    assert [float(score(nothing, nothing, nothing)[0]) for score in (f1_macro, f1_micro, matthews)] == [
        0,
        0,
        0,
    ]
    assert np.isnan(class_scores(nothing, nothing, nothing)).all()
