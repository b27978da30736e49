"""Holm's correction against its definition step by step, and the p-values of permutation tests."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.udfs.holm import holm
from modelstore.udfs.permutation_p_value import permutation_p_value


def rejected_by_steps(p_values, level):
    """The tests that Holm's procedure rejects: the smallest p-value at level / n, the next at level / (n − 1), …"""
    rejected = set()
    for step, test in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[test] * (len(p_values) - step) > level:
            break
        rejected.add(test)
    return rejected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 0.999))
def test_holm_rejects_what_the_procedure_rejects_step_by_step(p_values, level):
    adjusted = holm(p_values)
    assert set(np.flatnonzero(adjusted <= level)) == rejected_by_steps(p_values, level)
    assert (adjusted >= np.array(p_values)).all()
    assert (adjusted <= 1).all()


def test_nothing_to_correct_stays():
    assert holm([0.03]).tolist() == [0.03]
    assert holm([]).tolist() == []


def test_all_swaps_of_right_and_wrong_answers_give_the_p_value_of_the_sign_test():
    only_one, only_other = 7, 1  # rows that one model alone is right about
    signs = [sum(swap) for swap in product([-1, 1], repeat=only_one + only_other)]
    exact = 2 * sum(Fraction(comb(8, wins), 2**8) for wins in (0, 1))
    # Drawn at random, b of m permutations give (b + 1) / (m + 1).
    as_far = exact * len(signs)
    assert permutation_p_value(only_one - only_other, signs) == pytest.approx(float((as_far + 1) / 257))


def test_no_difference_is_no_evidence_and_rounding_does_not_count():
    assert permutation_p_value(0.0, [0.0, 0.1, -0.1]) == 1.0
    assert permutation_p_value(0.3, [0.1 + 0.2, -0.3, 0.1 * 3]) == 1.0
    assert permutation_p_value(1.0, [0.0] * 99) == 0.01
