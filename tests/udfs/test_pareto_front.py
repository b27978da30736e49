"""The Pareto front against its definition, over all pairs."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelstore.udfs.pareto_front import expected_front_size, pareto_front

# Few different values, so that ties are frequent.
VALUES = st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, math.inf, -math.inf, math.nan])


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """By definition: no worse in both, and better in one."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_no_other_is_better_in_one_and_no_worse_in_the_other(choices: list[tuple[float, float]]) -> None:
    known = [one for one in choices if not any(map(math.isnan, one))]
    expected = [one in known and not any(dominates(other, one) for other in known) for one in choices]
    scores, costs = [one[0] for one in choices], [one[1] for one in choices]
    assert pareto_front(scores, costs).tolist() == expected


def test_its_expected_size_is_that_of_random_fronts() -> None:
    random = np.random.default_rng(0)
    sizes = [pareto_front(*random.random((2, 20))).sum() for _ in range(2000)]
    assert abs(np.mean(sizes) - expected_front_size(20)) < 4 * np.std(sizes) / math.sqrt(len(sizes))
