from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.udfs.kmeans_1d import kmeans_1d
from modelstore.udfs.trends import (
    Trends,
    convergence_trends,
    final_score,
    predict_final,
    trends_of_curves,
    validation_at,
)

values = st.lists(st.one_of(st.integers(0, 5).map(float), st.floats(-1, 1)), min_size=1, max_size=9)


def inertia(x, labels):
    return sum(((x[labels == label] - x[labels == label].mean()) ** 2).sum() for label in set(labels))


def least_inertia(x, clusters):
    """Over all ways to cut the sorted values."""
    x = np.sort(x)
    return min(
        sum(((part - part.mean()) ** 2).sum() for part in np.split(x, cuts))
        for cuts in combinations(range(1, len(x)), clusters - 1)
    )


@given(values, st.integers(1, 5))
def test_clusters_are_the_best_there_are(x, clusters):
    x = np.array(x)
    labels = kmeans_1d(x, clusters)
    number = min(clusters, len(np.unique(x)))
    assert sorted(set(labels)) == list(range(number))
    assert inertia(x, labels) == pytest.approx(least_inertia(x, number), abs=1e-9)


@given(values, st.integers(1, 5))
def test_labels_rise_with_the_values(x, clusters):
    labels = kmeans_1d(x, clusters)
    assert all(labels[i] <= labels[j] for i in range(len(x)) for j in range(len(x)) if x[i] <= x[j])


@given(st.permutations([0.0, 0.1, 0.15, 0.6, 0.62, 0.9]))
def test_order_of_the_values_does_not_matter(x):
    of_value = dict(zip([0.0, 0.1, 0.15, 0.6, 0.62, 0.9], [0, 0, 0, 1, 1, 2], strict=True))
    assert kmeans_1d(x, 3).tolist() == [of_value[value] for value in x]


def test_a_large_offset_costs_no_precision():
    x = np.array([0.0, 1.0, 5.0, 6.0, 7.0, 20.0])
    assert kmeans_1d(x + 2.0**30, 3).tolist() == kmeans_1d(x, 3).tolist() == [0, 0, 1, 1, 1, 2]


def test_no_values_have_no_labels():
    assert kmeans_1d([], 4).tolist() == []


def test_values_to_cluster_must_be_finite_and_clusters_at_least_one():
    with pytest.raises(ValueError, match="must be finite"):
        kmeans_1d([0.1, np.nan], 2)
    with pytest.raises(ValueError, match="at least one cluster"):
        kmeans_1d([0.1], 0)
    with pytest.raises(ValueError, match="must be a list"):
        kmeans_1d([[0.1]], 1)


def test_trends_are_the_means_of_each_cluster():
    validation, final, labels = convergence_trends([0.8, 0.2, 0.9, 0.3], [0.9, 0.4, 0.7, 0.6], clusters=2)
    np.testing.assert_allclose(validation, [0.25, 0.85])
    np.testing.assert_allclose(final, [0.5, 0.8])
    assert labels.tolist() == [1, 0, 1, 0]


def test_a_dataset_that_misses_either_score_is_left_out():
    validation, final, labels = convergence_trends([0.8, None, 0.2, 0.5], [0.9, 0.1, 0.4, np.nan])
    np.testing.assert_allclose(validation, [0.2, 0.8])
    np.testing.assert_allclose(final, [0.4, 0.9])
    assert labels.tolist() == [1, -1, 0, -1]


def test_no_dataset_left_gives_no_trend_and_no_prediction():
    for scores in ([], [None, np.nan]):
        trends = convergence_trends(scores, scores)
        assert [means.size for means in trends[:2]] == [0, 0]
        assert predict_final(0.5, trends) is None


@given(values, st.integers(1, 5))
def test_trends_weighted_by_their_datasets_keep_the_mean(x, clusters):
    x = np.array(x)
    sizes = np.bincount(kmeans_1d(x, clusters))
    validation, final, _ = convergence_trends(x, 2 * x + 1, clusters)
    assert (np.diff(validation) > 0).all()
    assert sizes @ validation == pytest.approx(x.sum(), abs=1e-9)
    np.testing.assert_allclose(final, 2 * validation + 1)


@given(st.floats(-2, 2))
def test_the_prediction_is_that_of_the_nearest_trend(validation):
    means, finals = np.array([-0.5, 0.1, 0.9]), np.array([0.3, 0.2, 0.8])
    predicted = predict_final(validation, Trends(means, finals, np.arange(3)))
    assert abs(means[list(finals).index(predicted)] - validation) == min(abs(means - validation))


def test_equal_distances_go_to_the_lower_validation_and_nan_has_no_prediction():
    trends = Trends(np.array([0.25, 0.75]), np.array([0.9, 0.1]), np.arange(2))
    assert predict_final(0.5, trends) == 0.9
    assert predict_final(float("nan"), trends) is None


def test_trends_of_wrong_scores_are_refused():
    with pytest.raises(ValueError, match="as many final ones"):
        convergence_trends([0.1, 0.2], [0.3])
    with pytest.raises(ValueError, match="finite"):
        convergence_trends([0.1, 0.2], [0.3, np.inf])
    with pytest.raises(ValueError, match="must be numbers"):
        convergence_trends(["x"], [0.3])


def test_a_point_between_two_stages_is_interpolated_and_nothing_is_made_up_outside():
    assert validation_at([1, 2], [0.4, 0.6], 1.5) == pytest.approx(0.5)
    assert validation_at([1, 2], [0.4, 0.6], 2) == 0.6
    assert np.isnan(validation_at([1, 2], [0.4, 0.6], 0.5))
    assert np.isnan(validation_at([1, 2], [0.4, 0.6], 3))


def test_the_final_score_is_the_last_test_or_the_recorded_result():
    assert final_score([0.5, 0.7, None], 0.1) == 0.7
    assert final_score([np.nan, np.inf], 0.1) == 0.1
    assert np.isnan(final_score([np.nan], None))


def test_the_trends_of_curves_are_those_of_their_scores_at_the_epoch():
    curves = [
        ([1, 2], [0.20, 0.3], [0.2, 0.40]),
        ([1, 2], [0.22, 0.3], [None, None]),
        ([2], [0.5], [0.5]),  # does not reach back to the epoch
        ([1, 2], [0.80, 0.9], [0.8, 0.95]),
    ]
    validation, final, labels = trends_of_curves(curves, [0.9, 0.5, None, None], 1, clusters=2)
    np.testing.assert_allclose(validation, [0.21, 0.80])
    np.testing.assert_allclose(final, [0.45, 0.95])
    assert labels.tolist() == [0, 0, -1, 1]
