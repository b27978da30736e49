"""Winners are different models where several recipes of a model compete."""

from collections.abc import Sequence

import pytest

from modelstore.records import CurvePoint
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.judge import Judge
from modelstore.selection.strategy import Strategy
from modelstore.selection.successive_halving import SuccessiveHalving

SCORES = {"a·1": 0.9, "a·2": 0.8, "a·3": 0.7, "b·1": 0.6, "b·2": 0.5, "c·1": 0.4}


def judge(strategy: Strategy, keep: int) -> Judge:
    return Judge(strategy, keep, dict.fromkeys(SCORES, 0.0), lambda curves: {}, model_of=lambda name: name[0])


def decided(strategy: Strategy, keep: int, at_end: bool = False) -> dict[str, list[str]]:
    judging = judge(strategy, keep)
    curves: dict[str, Sequence[CurvePoint]] = {
        name: [CurvePoint(1, 1.0, score, None, 0.0, 1.0)] for name, score in SCORES.items()
    }
    results = judging.results(SCORES, curves)
    decisions = judging.at_end(2, results, "at the end") if at_end else judging.after_stage(1, results)
    found: dict[str, list[str]] = {}
    for decision in decisions:
        found.setdefault(decision.action, []).append(decision.model)
    return found


@pytest.mark.parametrize(
    ("keep", "won"),
    [(1, ["a·1"]), (2, ["a·1", "b·1"]), (3, ["a·1", "b·1", "c·1"]), (5, ["a·1", "b·1", "c·1"])],
)
def test_each_model_wins_with_its_best_recipe(keep: int, won: list[str]) -> None:
    assert decided(BruteForce(), keep, at_end=True)["won"] == won


def test_the_best_of_as_many_models_as_are_wanted_stay() -> None:
    assert decided(SuccessiveHalving(), 1)["kept"] == ["a·1", "a·2", "a·3"]
    # Half of the pairs are of one model, so the second model's best stays too, and has its turn before them.
    assert decided(SuccessiveHalving(), 2)["kept"] == ["a·1", "b·1", "a·2", "a·3"]
    assert decided(SuccessiveHalving(), 3)["kept"] == ["a·1", "b·1", "c·1", "a·2", "a·3"]


def test_turns_begin_with_different_models() -> None:
    assert judge(BruteForce(), 2).turns(list(SCORES)) == ["a·1", "b·1", "a·2", "a·3", "b·2", "c·1"]
    assert judge(BruteForce(), 1).turns(list(SCORES)) == list(SCORES)
