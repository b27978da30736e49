import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from modelstore.udfs import knn
from modelstore.udfs.knn import knn_accuracy


def problem(rows, classes, seed=0, width=3):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    return random.normal(size=(classes, width))[labels] + random.normal(size=(rows, width)), labels


@pytest.mark.parametrize(("k", "classes"), [(1, 4), (3, 2), (5, 2)])  # no votes that tie
def test_knn_agrees_with_another_implementation(k, classes):
    features, labels = problem(60, classes)
    other = KNeighborsClassifier(k, metric="cosine")
    expected = cross_val_score(other, features, labels, cv=LeaveOneOut()).mean()
    assert 0.3 < expected < 1
    assert knn_accuracy(features, labels, k) == pytest.approx(expected)


def brute_force(features, labels, k):
    right = 0
    for i, row in enumerate(features):
        cosines = {}
        for j, other in enumerate(features):
            lengths = math.sqrt(sum(x * x for x in row)) * math.sqrt(sum(x * x for x in other))
            if i != j:
                cosines[j] = sum(x * y for x, y in zip(row, other, strict=True)) / lengths
        nearest = sorted(cosines, key=lambda j: -cosines[j])[:k]
        votes = {
            label: (len(mine), sum(cosines[j] for j in mine))
            for label in set(labels)
            for mine in [[j for j in nearest if labels[j] == label]]
        }
        right += max(votes, key=lambda label: votes[label]) == labels[i]
    return right / len(features)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 15), st.integers(1, 20))
def test_agrees_with_the_definition_also_where_votes_tie(seed, rows, k):
    features, labels = problem(rows, 4, seed)
    assert knn_accuracy(features, labels, k) == pytest.approx(
        brute_force(features.tolist(), labels.tolist(), k)
    )


def test_blocks_give_the_same_as_one_block(monkeypatch):
    features, labels = problem(50, 3)
    whole = knn_accuracy(features, labels)
    monkeypatch.setattr(knn, "BLOCK_CELLS", 7 * 50)
    assert knn_accuracy(features, labels) == whole


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(1, 25))
def test_order_of_rows_length_of_rows_and_names_do_not_matter(seed, rows, k):
    features, labels = problem(rows, 3, seed)
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    scaled = features * random.uniform(0.1, 10, (rows, 1))
    value = knn_accuracy(features, labels, k)
    assert 0 <= value <= 1
    assert knn_accuracy(scaled[order], np.array(["b", "c", "a"])[labels[order]], k) == pytest.approx(value)


def test_votes_that_tie_go_to_the_nearer_class():
    angles = np.radians([0, 10, 20, -30, -35])
    features = np.column_stack([np.cos(angles), np.sin(angles)])
    # The first row's neighbours: two of "near", two of "far", whichever name comes first.
    for near, far in (("a", "z"), ("z", "a")):
        labels = [near, near, near, far, far]
        assert knn_accuracy(features, labels, k=4) == pytest.approx(3 / 5)


def test_the_majority_wins_however_near_the_others_are():
    # The first row has its class's only other member beside it, and two of the other class across from it.
    features = [[1.0, 0.0], [1.0, 0.0], [-1.0, 0.1], [-1.0, -0.1]]
    assert knn_accuracy(features, ["a", "a", "b", "b"], k=3) == 0


def test_a_row_is_not_its_own_neighbour():
    assert knn_accuracy([[1.0, 0.0], [1.0, 0.0]], ["a", "b"]) == 0


def test_one_class_scores_one_and_rows_of_zeros_are_allowed():
    assert knn_accuracy([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], ["a"] * 3) == 1


def test_wrong_arguments_of_knn_are_refused():
    with pytest.raises(ValueError, match="at least two rows"):
        knn_accuracy([[1.0]], [0])
    with pytest.raises(ValueError, match="k must be at least 1"):
        knn_accuracy([[1.0], [2.0]], [0, 1], k=0)
    with pytest.raises(ValueError, match="one label a row"):
        knn_accuracy([[1.0], [2.0]], [0])
