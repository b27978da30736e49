"""Task2Vec's similarity against its definition, and what must hold for any embeddings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from modelstore.udfs.fisher_similarity import fisher_similarity

information = st.floats(1e-12, 1e3)
pairs = st.lists(st.tuples(information, information), min_size=1, max_size=20)


@given(pairs)
def test_it_is_one_less_the_symmetric_distance_of_task2vec(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    assert fisher_similarity(a, b) == pytest.approx(1 - cosine(a / (a + b), b / (a + b)), abs=1e-9)


@given(pairs, st.floats(1e-3, 1e3))
def test_it_is_symmetric_and_one_for_proportional_embeddings(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    a, b = np.array(pairs).T
    assert fisher_similarity(a, b) == pytest.approx(fisher_similarity(b, a))
    assert fisher_similarity(a, factor * a) == pytest.approx(1.0)
    assert 0 <= fisher_similarity(a, b) <= 1


def test_units_without_information_on_both_tasks_say_nothing() -> None:
    assert fisher_similarity([1, 3, 0], [3, 1, 0]) == pytest.approx(fisher_similarity([1, 3], [3, 1]))
    assert fisher_similarity([1, 0], [0, 1]) == 0.0
    assert math.isnan(fisher_similarity([0, 0], [1, 1]))
    assert math.isnan(fisher_similarity([], []))


def test_embeddings_of_different_networks_do_not_compare() -> None:
    with pytest.raises(ValueError, match="2 and 3 units"):
        fisher_similarity([1, 2], [1, 2, 3])
