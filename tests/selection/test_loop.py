"""The loop of a selection, on runs whose curves are given."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from given_runs import CURVES, THREE_STAGES, GivenExecutor, GivenRun, selection_of

from modelstore.errors import TrainingError
from modelstore.events import Decision
from modelstore.execution.local import LocalWorker
from modelstore.records import Curve
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.loop import Selection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.strategy import Strategy
from modelstore.selection.successive_halving import SuccessiveHalving


def select(
    curves: dict[str, Sequence[float]], strategy: Strategy, keep: int = 1
) -> tuple[Selection, GivenExecutor, list[Decision]]:
    decisions: list[Decision] = []
    executor = GivenExecutor(curves)
    selection = selection_of(
        dict.fromkeys(curves, 1.0), {LocalWorker("cpu"): executor}, strategy, keep, decisions.extend
    )
    return selection, executor, decisions


def test_halving_trains_the_survivor_to_the_end_and_tests_it_alone() -> None:
    selection, executor, decisions = select(CURVES, SuccessiveHalving())
    [winner] = selection.run()
    assert (winner.model, winner.validation, winner.epochs, winner.seconds) == ("d", 0.8, 3.0, 6.0)
    assert selection.ledger.epochs == 4 + 2 + 1
    assert [run.tests for run in executor.runs.values()] == [0, 0, 0, 1]
    assert [run.released for run in executor.runs.values()] == [True, True, True, False]
    assert [(d.stage, d.model, d.action) for d in decisions] == [
        (1, "d", "kept"),
        (1, "a", "kept"),
        (1, "b", "dropped"),
        (1, "c", "dropped"),
        (2, "d", "kept"),
        (2, "a", "dropped"),
        (3, "d", "won"),
    ]


def test_a_selection_that_goes_on_trains_the_stages_that_are_left() -> None:
    selection, executor, decisions = select({"d": CURVES["d"], "a": CURVES["a"]}, SuccessiveHalving())
    selection.done = 1
    executor.start = lambda model: walked(CURVES[model])  # type: ignore[method-assign]
    [winner] = selection.run()
    assert (winner.model, winner.validation, winner.epochs) == ("d", 0.8, 3.0)
    assert selection.ledger.epochs == 2 + 1
    assert [(d.stage, d.model, d.action) for d in decisions] == [
        (2, "d", "kept"),
        (2, "a", "dropped"),
        (3, "d", "won"),
    ]


def walked(curve: Sequence[float]) -> GivenRun:
    run = GivenRun(curve)
    run.advance()
    return run


def test_runs_are_released_when_the_selection_is_stopped() -> None:
    selection, executor, _ = select(CURVES, SuccessiveHalving())

    def stop(decided: Sequence[Decision]) -> None:
        raise KeyboardInterrupt

    selection.on_stage = stop
    with pytest.raises(KeyboardInterrupt):
        selection.run()
    assert all(run.released for run in executor.runs.values())


def test_brute_force_takes_the_best_validation_at_the_end() -> None:
    selection, _, _ = select(CURVES, BruteForce())
    [winner] = selection.run()
    assert winner.model == "b"
    assert selection.ledger.epochs == 12


def test_several_winners_come_best_first() -> None:
    selection, _, _ = select(CURVES, BruteForce(), keep=2)
    assert [finalist.model for finalist in selection.run()] == ["b", "d"]


def test_a_model_that_fails_is_recorded_and_the_others_go_on() -> None:
    selection, executor, decisions = select({**CURVES, "d": [0.6, -1.0], "e": []}, SuccessiveHalving())
    [winner] = selection.run()
    assert winner.model == "a"
    assert executor.runs["d"].released
    failed = [(d.stage, d.model, d.reason) for d in decisions if d.action == "failed"]
    assert failed == [(1, "e", "e has no weights"), (2, "d", "the loss is not finite")]


def test_when_all_fail_the_error_says_why() -> None:
    selection, _, _ = select({"a": [], "b": []}, BruteForce())
    with pytest.raises(TrainingError, match=r"none of the models could be trained: a has no weights; b has"):
        selection.run()


class Place:
    """A worker of this process, beside others."""

    device, ready, alive = "cpu", True, True

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        yield


def two_workers() -> dict[Any, GivenExecutor]:
    return {Place(): GivenExecutor({"a": [0.1] * 3, "b": [0.4, 0.5, 0.6]}) for _ in range(2)}


def test_a_run_that_another_worker_takes_over_begins_there_again() -> None:
    """The first worker trains the model that is left alone, from its checkpoint where there are checkpoints."""
    executors = two_workers()
    first, second = executors.values()
    selection = selection_of({"a": 1.0, "b": 0.5}, executors, SuccessiveHalving(), 1, lambda decided: None)
    [winner] = selection.run()
    assert [point.validation for point in winner.curve] == [0.4, 0.5]
    assert winner.curve is first.runs["b"].curve
    assert second.runs["b"].released


def test_a_run_on_record_is_walked_and_never_trained() -> None:
    executors = two_workers()
    epochs, scores = np.array([1.0, 2.0, 3.0]), np.array([0.4, 0.5, 0.6])
    recorded = ReplayExecutor("d", {"b": Curve(epochs, scores, scores, epochs)}, {}, THREE_STAGES)
    selection = selection_of(
        {"a": 1.0, "b": 0.5},
        executors,
        SuccessiveHalving(),
        1,
        lambda decided: None,
        recorded=recorded,
        on_record=("b",),
    )
    [winner] = selection.run()
    assert [point.validation for point in winner.curve] == [0.4, 0.5, 0.6]
    assert not any("b" in executor.runs for executor in executors.values())
    assert selection.ledger.epochs == 1


@pytest.mark.parametrize(("keep_point", "best"), [("best", "b"), ("last", "a")])
def test_models_are_ranked_by_the_point_that_counts(keep_point: str, best: str) -> None:
    executor = GivenExecutor({"a": [0.5, 0.6, 0.7], "b": [0.6, 0.8, 0.4]})
    selection = selection_of({"a": 1.0, "b": 0.5}, {Place(): executor}, BruteForce(), 2, lambda decided: None)
    selection.judge.keep_point = keep_point
    winners = selection.run()
    assert winners[0].model == best
    by_model = {winner.model: winner for winner in winners}
    assert by_model["b"].validation == (0.8 if keep_point == "best" else 0.4)
    assert by_model["b"].epochs == 3.0
