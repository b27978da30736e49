"""The value of another look against its definition, and who goes on."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.selection.forecast import Forecasts
from modelstore.selection.value_of_information import going_on, values_per_epoch

EPOCHS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
NORMAL = NormalDist()


def some_forecasts(seed: int, models: int = 8, reached: int = 1) -> Forecasts:
    random = np.random.default_rng(seed)
    mean, deviation = random.normal(0.7, 0.04, models), random.uniform(0.02, 0.06, models)
    later = np.full((models, len(EPOCHS)), np.nan)
    left = deviation
    for point in range(reached + 1, len(EPOCHS)):
        left = left * random.uniform(0.6, 1.0, models)
        later[:, point] = left
    return Forecasts(mean, deviation, deviation, later)


def worth_training(forecasts: Forecasts, price: float, keep: int = 1) -> list[int]:
    return going_on(forecasts.mean, values_per_epoch(forecasts, EPOCHS, 1, keep), price, keep).tolist()


def best_means(forecasts: Forecasts, count: int) -> list[int]:
    return np.argsort(-forecasts.mean)[:count].tolist()


def defined(forecasts: Forecasts, reached: int, leader: float) -> list[float]:
    found = []
    for mean, now, later in zip(forecasts.mean, forecasts.deviation, forecasts.later, strict=True):
        values = []
        for point in range(reached + 1, len(EPOCHS)):
            s = sqrt(2 * (now**2 - later[point] ** 2))
            z = (mean - leader) / s
            values.append(s * (NORMAL.pdf(z) + z * NORMAL.cdf(z)) / (EPOCHS[point] - EPOCHS[reached]))
        found.append(max(values))
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_the_value_is_as_it_is_defined(seed: int, reached: int) -> None:
    forecasts = some_forecasts(seed, reached=reached)
    best = sorted(forecasts.mean, reverse=True)
    assert values_per_epoch(forecasts, EPOCHS, reached) == pytest.approx(defined(forecasts, reached, best[0]))
    third = values_per_epoch(forecasts, EPOCHS, reached, keep=3)
    assert third == pytest.approx(defined(forecasts, reached, best[2]))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.1))
def test_those_go_on_who_are_worth_it_and_always_the_two_best(seed: int, price: float) -> None:
    forecasts = some_forecasts(seed)
    going = worth_training(forecasts, price)
    values = values_per_epoch(forecasts, EPOCHS, 1)
    best = best_means(forecasts, 2)
    assert going[:2] == best
    assert set(going) == set(best) | set(np.flatnonzero(values >= price).tolist())
    rest = values[going[2:]]
    assert (np.diff(rest) <= 0).all()
    dearer = worth_training(forecasts, 2 * price + 0.001)
    assert set(dearer) <= set(going)


def test_what_training_cannot_resolve_is_worth_nothing() -> None:
    later = np.full((3, 5), 0.05)
    forecasts = Forecasts(np.array([0.7, 0.69, 0.69]), np.full(3, 0.05), np.full(3, 0.05), later)
    assert values_per_epoch(forecasts, EPOCHS, 1).tolist() == [0.0, 0.0, 0.0]
    assert worth_training(forecasts, price=0.0015) == [0, 1]


def test_at_the_last_point_there_is_nothing_more_to_see() -> None:
    forecasts = some_forecasts(0, reached=4)
    assert values_per_epoch(forecasts, EPOCHS, 4).tolist() == [0.0] * 8


def test_several_winners_all_go_on() -> None:
    forecasts = some_forecasts(3)
    going = worth_training(forecasts, price=1.0, keep=4)
    assert going == best_means(forecasts, 4)
    alone = some_forecasts(3, models=1)
    assert worth_training(alone, price=1.0, keep=4) == [0]
