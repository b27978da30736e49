"""The race on simulated curves: who starts, goes on and wins, what it costs, and that budgets hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.selection.forecast_learning import CurveRecords, learn_forecasts
from modelstore.selection.race import Race, replay_race
from modelstore.selection.stage_budget import affordable, affordable_at_first

EPOCHS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])


def race(models: int, datasets: int, budget: float | None = None, seed: int = 0, **more: float) -> Race:
    """Of simulated records: models differ by .05, datasets' curves all rise alike."""
    random = np.random.default_rng(seed)
    finals = 0.7 + random.normal(0, 0.05, (models, 1)) + random.normal(0, 0.03, (models, datasets))
    validations = finals[:, :, None] - 0.2 * (1 - EPOCHS / 4) + random.normal(0, 0.01, (models, datasets, 5))
    records = CurveRecords(validations, finals, np.zeros(finals.shape), np.full(datasets, 1000.0))
    prior = random.normal(size=models)
    learned = learn_forecasts(records, EPOCHS, 4.0)
    return Race(EPOCHS, prior, np.arange(models), learned, datasets, 1000, budget=budget, **more)


def curves(models: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    finals = 0.7 + random.normal(0, 0.05, (models, 1))
    return finals - 0.2 * (1 - EPOCHS / 4) + random.normal(0, 0.01, (models, 5))


def test_with_too_little_on_record_all_train_half_an_epoch_and_the_best_two_to_the_end() -> None:
    validations = curves(20)
    winner, spent, reached = replay_race(race(20, datasets=0), validations)
    assert spent == 20 * 0.5 + 2 * 3.5
    two = np.argsort(-validations[:, 1])[:2]
    assert winner == two[np.argmax(validations[two, -1])]
    assert reached == 4.0
    _, spent, _ = replay_race(race(20, datasets=9), validations)
    assert spent == 20 * 0.5 + 2 * 3.5


def test_with_ten_datasets_the_value_of_information_decides() -> None:
    validations = curves(20)
    winner, spent, _ = replay_race(race(20, datasets=10), validations)
    assert spent < 0.5 * 20 * 4.0
    assert validations[winner, -1] > np.sort(validations[:, -1])[-3]
    dear, cheap = (replay_race(race(20, datasets=10, price=price), validations)[1] for price in (0.1, 0.0))
    # All for a quarter of an epoch, and two to the end: the least that a race takes.
    assert dear == 20 * 0.25 + 2 * 3.75
    assert cheap == 20 * 4.0


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.25, 100),
    st.integers(1, 30),
    st.sampled_from([0, 3, 12]),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_no_budget_is_exceeded_and_the_winner_is_finished_if_it_can_be(
    budget: float, models: int, datasets: int, keep: int, seed: int
) -> None:
    winner, spent, reached = replay_race(
        race(models, datasets, budget, seed, keep=keep), curves(models, seed)
    )
    assert winner is not None
    assert spent <= budget + 1e-6
    if budget >= 4 * keep:
        assert reached == 4.0


def test_a_budget_of_less_than_a_stage_trains_nobody() -> None:
    assert replay_race(race(5, 12, budget=0.2), curves(5)) == (None, 0.0, 0.0)


def test_the_better_priors_start_where_there_is_no_room_for_all() -> None:
    small = race(20, 12, budget=8)
    starters = small.starters()
    assert len(starters) == 16  # half of the budget, at a quarter of an epoch each
    assert small.prior[starters].min() > np.delete(small.prior, starters).max()
    assert len(race(20, 12, budget=100).starters()) == 20


def test_what_is_left_is_shared_by_the_stages_to_come() -> None:
    assert affordable_at_first(5, EPOCHS) == 5  # beside one to the end
    assert affordable_at_first(0.1, EPOCHS) == 0
    assert affordable(16, EPOCHS, reached=0) == 16  # 4 epochs for each of four stages
    assert affordable(12, EPOCHS, reached=2) == 6
    assert affordable(3, EPOCHS, reached=2) == 1  # one can be finished, none beside it
    assert affordable(12, EPOCHS, reached=2, keep=3) == 6
    assert affordable(0.5, EPOCHS, reached=2) == 0


def test_several_winners_are_ranked_best_first() -> None:
    several = race(10, 12, keep=3)
    validations = curves(10)
    racing = np.arange(10)
    ranking = several.ranking(validations, racing)
    means = several.forecast(validations).mean
    assert (np.diff(means[ranking]) <= 0).all()
    early = np.where(np.arange(5) < 1, validations, np.nan)
    going = several.going_on(early, racing, 0)
    assert set(np.argsort(-several.forecast(early).mean)[:3]) <= set(going.tolist())


@pytest.mark.parametrize("datasets", [0, 12])
def test_one_candidate_wins_by_itself(datasets: int) -> None:
    assert replay_race(race(1, datasets), curves(1)) == (0, 4.0, 4.0)
