"""Budgets in the loop: never exceeded, winners finished where there is room, the best so far where there is none."""

import itertools

import pytest
from given_runs import CURVES, THREE_STAGES, GivenExecutor, selection_of
from hypothesis import given
from hypothesis import strategies as st

from modelstore.errors import TrainingError
from modelstore.events import Decision
from modelstore.execution.local import LocalWorker
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.budget import Budget, Ledger, max_affordable
from modelstore.selection.loop import Finalist, Selection
from modelstore.selection.strategy import Strategy
from modelstore.selection.successive_halving import SuccessiveHalving


def within(
    budget: Budget, strategy: Strategy, keep: int = 1, **given: object
) -> tuple[Selection, list[Finalist], list[Decision]]:
    decisions: list[Decision] = []
    selection = selection_of(
        {"a": 0.7, "b": 0.9, "c": 0.3, "d": 0.8},
        {LocalWorker("cpu"): GivenExecutor(CURVES)},
        strategy,
        keep,
        decisions.extend,
        Ledger(THREE_STAGES, budget, **given),  # type: ignore[arg-type]
    )
    return selection, selection.run(), decisions


@given(st.floats(1.0, 15.0), st.integers(1, 2), st.sampled_from([BruteForce(), SuccessiveHalving()]))
def test_no_budget_is_exceeded_and_winners_are_finished_where_there_is_room(
    limit: float, keep: int, strategy: Strategy
) -> None:
    if limit < keep:
        return
    selection, finalists, _ = within(Budget(epochs=limit), strategy, keep)
    assert selection.ledger.epochs <= limit
    assert len(finalists) == keep
    assert all(finalist.epochs == 3 for finalist in finalists) == (limit >= 3 * keep)


def test_a_budget_trains_the_best_recalled_first_and_says_why_others_are_dropped() -> None:
    selection, [winner], decisions = within(Budget(epochs=4), BruteForce())
    assert (winner.model, selection.ledger.epochs) == ("d", 4)
    out = [(d.stage, d.model, d.reason) for d in decisions if d.validation is None]
    assert out == [
        (1, "a", "the budget of 4 epochs has room for 2 in this stage"),
        (1, "c", "the budget of 4 epochs has room for 2 in this stage"),
        (2, "b", "the budget of 4 epochs has room for 1 in this stage"),
    ]


def test_a_winner_that_is_not_trained_to_the_end_says_so() -> None:
    _, [winner], decisions = within(Budget(epochs=2), BruteForce())
    assert winner.epochs == 2
    [won] = [d for d in decisions if d.action == "won"]
    assert won.reason == "best validation after 2 of 3 epochs, when the budget of 2 epochs was spent"


def test_seconds_that_runs_report_are_a_limit_too() -> None:
    selection, [winner], _ = within(Budget(seconds=7.0), SuccessiveHalving())
    assert selection.ledger.seconds <= 7.0
    assert winner.epochs == 3


def test_time_that_is_up_in_the_midst_of_a_stage_leaves_the_best_so_far() -> None:
    ticks = itertools.count()
    _, [winner], decisions = within(Budget(seconds=9.0), BruteForce(), clock=lambda: float(next(ticks)))
    assert winner.epochs < 3
    assert next(d.reason or "" for d in decisions if d.action == "won").endswith(
        "when the budget of 9 s was spent"
    )


def test_a_budget_without_room_for_one_stage_is_an_error() -> None:
    with pytest.raises(
        TrainingError, match=r"the budget of 0\.5 epochs ends before a model has gone through"
    ):
        within(Budget(epochs=0.5), BruteForce())


@given(st.floats(0, 50), st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 8), st.integers(1, 3))
def test_what_is_affordable_leaves_enough_for_the_winners(
    left: float, each: float, stages: int, keep: int
) -> None:
    most = max_affordable(left, each, stages, keep)
    assert most * each <= left + 1e-6
    if most > keep:
        assert most * each + keep * (stages - 1) * each <= left + 1e-6
