import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.udfs import leep as module
from modelstore.udfs.leep import leep


def brute_force(theta, labels):
    n, sources = len(theta), range(len(theta[0]))
    joint = {
        (y, z): sum(theta[i][z] for i in range(n) if labels[i] == y) / n for y in set(labels) for z in sources
    }
    marginal = [sum(joint[y, z] for y in set(labels)) for z in sources]
    return (
        sum(
            math.log(sum(joint[labels[i], z] / marginal[z] * theta[i][z] for z in sources if marginal[z] > 0))
            for i in range(n)
        )
        / n
    )


@st.composite
def problems(draw):
    rows, sources = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    theta = random.dirichlet(np.full(sources, draw(st.sampled_from([0.1, 1.0, 10.0]))), rows)
    return theta, random.integers(0, 4, rows)


@given(problems())
def test_leep_agrees_with_its_definition(problem):
    theta, labels = problem
    assert leep(theta, labels) == pytest.approx(brute_force(theta.tolist(), labels.tolist()), abs=1e-9)


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_classes_do_not_matter(problem, random):
    theta, labels = problem
    rows = random.sample(range(len(theta)), len(theta))
    sources = random.sample(range(theta.shape[1]), theta.shape[1])
    names = [f"class {9 - label}" for label in labels[rows]]
    assert leep(theta[rows][:, sources], names) == pytest.approx(leep(theta, labels), abs=1e-9)


@given(problems())
def test_leep_is_at_most_zero(problem):
    assert leep(*problem) <= 0


def test_blocks_give_the_same_as_one_block(monkeypatch):
    random = np.random.default_rng(0)
    theta, labels = random.dirichlet(np.ones(5), 100), random.integers(0, 3, 100)
    whole = leep(theta, labels)
    monkeypatch.setattr(module, "BLOCK_CELLS", 7 * 5)
    assert leep(theta, labels) == pytest.approx(whole, abs=1e-12)


def test_a_head_that_knows_the_label_scores_zero():
    labels = np.array([2, 0, 1, 1, 0])
    assert leep(np.eye(3)[labels], labels) == 0


def test_a_head_that_says_the_same_of_every_row_scores_minus_the_entropy_of_the_labels():
    value = leep(np.tile([0.2, 0.5, 0.3], (4, 1)), ["a", "a", "a", "b"])
    assert value == pytest.approx(0.75 * math.log(0.75) + 0.25 * math.log(0.25))


def test_leep_of_one_class_is_zero():
    assert leep([[0.3, 0.7], [0.9, 0.1]], ["a", "a"]) == pytest.approx(0)


def test_a_source_class_of_probability_zero_adds_nothing():
    theta, labels = np.array([[0.3, 0.7], [0.9, 0.1], [0.5, 0.5]]), [0, 1, 1]
    assert leep(np.column_stack([theta, np.zeros(3)]), labels) == pytest.approx(leep(theta, labels))


def test_half_precision_is_scaled_to_sum_to_one():
    theta = np.random.default_rng(0).dirichlet(np.ones(50), 40)
    labels = np.arange(40) % 3
    assert leep(theta.astype(np.float16), labels) == pytest.approx(leep(theta, labels), abs=1e-3)
    assert leep(theta * 1.005, labels) == pytest.approx(leep(theta, labels))


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([], [], "at least one row"),
        ([[0.5, 0.5]], [1, 2], "one label a row"),
        ([[0.5, 0.2]], [1], "sum to 1"),
        ([[1.5, -0.5]], [1], "non-negative"),
        ([[0.5, math.nan]], [1], "finite"),
        ([[0.5, 0.5], [1.0]], [1, 2], "one length"),
        ([0.5, 0.5], [1, 2], "two dimensions"),
        ([[0.5, 0.5]], [None], "labels must be classes"),
        ([[0.5, 0.5]], [0.5], "labels must be classes"),
        ([[0.5, 0.5]], [math.nan], "labels must be classes"),
    ],
)
def test_wrong_arguments_of_leep_are_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        leep(probabilities, labels)


def test_labels_may_be_a_column_of_objects():
    theta = [[0.3, 0.7], [0.9, 0.1], [0.5, 0.5]]
    assert leep(theta, np.array(["x", "y", "x"], dtype=object)) == leep(theta, [0, 1, 0])
    assert leep(theta, [0.0, 1.0, 0.0]) == leep(theta, [0, 1, 0])
