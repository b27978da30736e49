import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from modelstore.udfs.normalise import normalise_likelihood, normalise_rank

scores = st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-5, 0), st.just(math.nan)), max_size=12)


def test_a_likelihood_is_normalised_by_the_exponential():
    found = normalise_likelihood([0.0, -math.log(2), -math.inf, None])
    np.testing.assert_allclose(found, [1, 0.5, 0, np.nan])


@given(scores)
def test_rank_agrees_with_another_implementation(values):
    scored = max(1, sum(not math.isnan(value) for value in values))
    expected = rankdata(values, nan_policy="omit") / scored if values else []
    np.testing.assert_allclose(normalise_rank(values), expected)


@given(scores)
def test_rank_lies_above_zero_up_to_one_and_nan_stays(values):
    found = normalise_rank(values)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(np.array(values, dtype=float)))
    assert all(0 < rank <= 1 for rank in found if not math.isnan(rank))


def test_ties_share_their_mean_rank():
    assert normalise_rank([7, 1, 7, 3]).tolist() == pytest.approx([3.5 / 4, 1 / 4, 3.5 / 4, 2 / 4])
