"""The race on simulated curves: who starts, goes on and wins, what it costs, and that budgets hold."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.errors import TrainingError
from modelstore.events import Decision
from modelstore.options import SelectOptions
from modelstore.planner.select.race_records import RacePredictions, RaceRecords
from modelstore.planner.select.trainers import ReplayTrainer
from modelstore.records import Curve, Matrix
from modelstore.selection.budget import Budget, Ledger
from modelstore.selection.judge import Judge
from modelstore.selection.loop import Selection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.sample import Sample
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.value_race import ValueOfInformation

EPOCHS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
STAGES = StageEnds(tuple(EPOCHS.tolist()))


class Outcome(NamedTuple):
    winners: list[int]
    spent: float
    reached: float
    decisions: list[Decision]

    def trained(self, stage: int) -> set[int]:
        return {int(one.model) for one in self.decisions if one.stage == stage and one.validation is not None}


def recorded(validations: np.ndarray, finals: np.ndarray) -> Curve:
    tests = np.where(EPOCHS < 4, validations, finals)
    return Curve(EPOCHS, validations, tests, np.zeros(len(EPOCHS)))


def records(models: int, datasets: int, seed: int = 0) -> RaceRecords | None:
    """Simulated: models differ by .05, datasets' curves all rise alike."""
    if not datasets:
        return None
    random = np.random.default_rng(seed)
    finals = 0.7 + random.normal(0, 0.05, (models, 1)) + random.normal(0, 0.03, (models, datasets))
    validations = finals[:, :, None] - 0.2 * (1 - EPOCHS / 4) + random.normal(0, 0.01, (models, datasets, 5))
    runs = {
        (str(m), f"d{d}"): recorded(validations[m, d], finals[m, d])
        for m in range(models)
        for d in range(datasets)
    }
    rows = {f"d{d}": Sample(1000) for d in range(datasets)}
    return RaceRecords.learn({"r": runs}, {"r": Matrix([], [], np.empty((0, 0)))}, rows, EPOCHS)


def race(
    validations: np.ndarray,
    datasets: int,
    budget: float | None = None,
    price: float = SelectOptions.price,
    keep: int = 1,
    seed: int = 0,
) -> Outcome:
    models = len(validations)
    prior = np.random.default_rng(seed).normal(size=models)
    scores = {str(model): float(prior[model]) for model in np.argsort(-prior)}
    strategy = ValueOfInformation(price, budget is not None, datasets)
    predictions = RacePredictions(
        lambda: records(models, datasets, seed), lambda model: (model, "r"), STAGES, Sample(1000), keep
    )
    runs = {str(m): recorded(curve, curve[-1]) for m, curve in enumerate(validations)}
    ledger = Ledger(STAGES, Budget(epochs=budget), shares=strategy.shares_budget)
    decisions: list[Decision] = []
    selection = Selection(
        scores,
        ReplayTrainer(ReplayExecutor("target", runs, {}, STAGES)),
        Judge(strategy, keep, scores, predictions),
        ledger,
        decisions.extend,
    )
    winners = selection.run()
    return Outcome([int(one.model) for one in winners], ledger.epochs, winners[0].epochs, decisions)


def curves(models: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    finals = 0.7 + random.normal(0, 0.05, (models, 1))
    return finals - 0.2 * (1 - EPOCHS / 4) + random.normal(0, 0.01, (models, 5))


# Of twenty models ten, five and then the two go on that a race trains to the end.
HALVED = 20 * 0.25 + 10 * 0.25 + 5 * 0.5 + 2 * 1 + 2 * 2


@pytest.mark.parametrize("datasets", [0, 9])
def test_with_too_little_on_record_the_better_half_by_validation_goes_on(datasets: int) -> None:
    validations = curves(20)
    found = race(validations, datasets)
    assert found.spent == HALVED
    racing = np.arange(20)
    for point, count in enumerate((10, 5, 2)):
        best_so_far = validations[racing, : point + 1].max(axis=1)
        racing = racing[np.argsort(-best_so_far)[:count]]
        assert found.trained(point + 2) == set(racing.tolist())
    assert found.winners == [racing[np.argmax(validations[racing, -1])]]
    assert found.reached == 4.0


def test_models_that_are_level_with_the_last_of_the_better_half_stay() -> None:
    validations = curves(6)
    validations[:, 0] = [0.5, 0.5, 0.5, 0.5, 0.4, 0.9]
    assert race(validations, datasets=0).trained(2) == {0, 1, 2, 3, 5}


def test_with_ten_datasets_the_value_of_information_decides_among_the_better_half() -> None:
    validations, datasets = curves(20), 10
    found = race(validations, datasets)
    assert found.spent <= HALVED
    assert validations[found.winners[0], -1] > np.sort(validations[:, -1])[-3]
    # All for a quarter of an epoch, and two to the end: the least that a race takes.
    assert race(validations, datasets, price=0.1).spent == 20 * 0.25 + 2 * 3.75
    assert race(validations, datasets, price=0.0).spent == HALVED


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.75, 100),  # at least a stage of each winner
    st.integers(1, 30),
    st.sampled_from([0, 3, 12]),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_no_budget_is_exceeded_and_the_winner_is_finished_if_it_can_be(
    budget: float, models: int, datasets: int, keep: int, seed: int
) -> None:
    found = race(curves(models, seed), datasets, budget, keep=keep, seed=seed)
    assert found.winners
    assert found.spent <= budget + 1e-6
    if budget >= 4 * keep:
        assert found.reached == 4.0


def test_a_budget_of_less_than_a_stage_trains_nobody() -> None:
    with pytest.raises(TrainingError, match="ends before a model has gone through one stage"):
        race(curves(5), 12, budget=0.2)


def test_the_better_priors_start_where_there_is_no_room_for_all() -> None:
    prior = np.random.default_rng(0).normal(size=20)
    starters = race(curves(20), 12, budget=8).trained(1)
    assert len(starters) == 16  # half of the budget, at a quarter of an epoch each
    assert starters == set(np.argsort(-prior)[:16].tolist())
    assert len(race(curves(20), 12, budget=100).trained(1)) == 20


def test_several_winners_are_ranked_best_first() -> None:
    found = race(curves(10), 12, keep=3)
    predicted = {int(one.model): one.predicted for one in found.decisions if one.stage == 5}
    assert len(found.winners) == 3
    assert found.winners == sorted(predicted, key=lambda model: -(predicted[model] or 0))[:3]
    first = {int(one.model): one.predicted for one in found.decisions if one.stage == 1}
    assert set(sorted(first, key=lambda model: -(first[model] or 0))[:3]) <= found.trained(2)


@pytest.mark.parametrize("datasets", [0, 12])
def test_one_candidate_wins_by_itself(datasets: int) -> None:
    found = race(curves(1), datasets)
    assert (found.winners, found.spent, found.reached) == ([0], 4.0, 4.0)
