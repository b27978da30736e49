"""Choosing by score and by what a model costs to use, with every strategy."""

import threading
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from modelstore.interruption import stopped_by
from modelstore.options import SelectOptions
from modelstore.selection.forecast import Forecasts
from modelstore.selection.judge import Judge
from modelstore.selection.preference import ParetoPreference, Preference, ScoreLessCost
from modelstore.selection.strategies import STRATEGIES, strategy_of
from modelstore.selection.strategy import StageResult, Strategy
from modelstore.selection.value_of_information import values_per_epoch
from modelstore.selection.value_race import ValueOfInformation

LATENCIES = {"slow": 100.0, "fair": 30.0, "quick": 5.0, "poor": 60.0}
SCORES = {"slow": 0.92, "fair": 0.90, "quick": 0.80, "poor": 0.70}


def results(scores: dict[str, float]) -> list[StageResult]:
    return [
        StageResult(model, score, predicted=score, deviation=0.001, value=0.0)
        for model, score in scores.items()
    ]


def race(datasets: int = 20) -> Strategy:
    return ValueOfInformation(datasets=datasets)


def all_strategies() -> list[Strategy]:
    return [*(strategy_of(name, SelectOptions()) for name in STRATEGIES), race()]


def judge(preference: Preference) -> Judge:
    return Judge(
        preference.strategy,
        preference.keep,
        dict.fromkeys(SCORES, 0.0),
        lambda curves: {},
        preference=preference,
    )


def winners(preference: Preference) -> list[str]:
    decisions = judge(preference).at_end(3, results(SCORES), "at the end")
    return [one.model for one in decisions if one.action == "won"]


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda one: one.name)
def test_a_weight_takes_what_latency_costs_off_the_score(strategy: Strategy) -> None:
    def by_weight(weight: float) -> list[str]:
        penalties = {model: weight * latency for model, latency in LATENCIES.items()}
        return winners(ScoreLessCost(strategy, 1, penalties, f"{weight:g} × latency_ms"))

    assert winners(Preference(strategy, 1)) == ["slow"]
    assert by_weight(1e-6) == ["slow"]
    assert by_weight(0.001) == ["fair"]
    assert by_weight(0.01) == ["quick"]


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda one: one.name)
def test_decisions_keep_the_scores_as_they_are(strategy: Strategy) -> None:
    preference = ScoreLessCost(
        strategy, 1, {model: 0.01 * ms for model, ms in LATENCIES.items()}, "0.01 × latency_ms"
    )
    for decision in judge(preference).after_stage(2, results(SCORES)):
        assert (decision.validation, decision.predicted) == (SCORES[decision.model],) * 2
        assert decision.action == "kept" or "0.01 × latency_ms" in str(decision.reason)


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda one: one.name)
def test_the_winners_are_the_best_of_the_front(strategy: Strategy) -> None:
    front = ParetoPreference(strategy, 3, LATENCIES, "latency_ms")
    assert winners(front) == ["slow", "fair", "quick"]
    assert winners(ParetoPreference(strategy, 2, LATENCIES, "latency_ms")) == ["slow", "fair"]
    assert winners(ParetoPreference(strategy, 4, LATENCIES, "latency_ms")) == ["slow", "fair", "quick"]


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda one: one.name)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_dropped_for_a_model_that_costs_more(strategy: Strategy, seed: int) -> None:
    """Against the definition: with the models that cost more left out, the same decision is made."""
    random = np.random.default_rng(seed)
    names = [f"m{number}" for number in range(8)]
    scores = dict(zip(names, random.uniform(0.5, 0.9, 8).tolist(), strict=True))
    costs = dict(zip(names, random.integers(1, 6, 8).astype(float).tolist(), strict=True))
    found = {one.model for one in ParetoPreference(strategy, 1, costs, "memory").drop(results(scores))}
    for name in names:
        rivals = {one: scores[one] for one in names if costs[one] <= costs[name]}
        dropped = strategy.drop(results(rivals), 1) if len(rivals) > 1 else []
        assert (name in found) == any(one.model == name for one in dropped)
        if name in found:
            assert any(scores[one] > scores[name] for one in rivals)


def test_cheap_bad_models_take_no_place_of_good_ones() -> None:
    """Each of them is the best of its own rivals, and so worth training, but worse than the better half."""
    scores = {f"cheap{n}": 0.5 + n / 50 for n in range(6)} | {f"good{n}": 0.9 - n / 200 for n in range(4)}
    costs = {name: float(place) for place, name in enumerate(scores)}
    worth = {name: 0.044 if name.startswith("cheap") else 0.031 for name in scores}
    training = [replace(one, value=worth[one.model]) for one in results(scores)]
    found = ParetoPreference(race(), 1, costs, "memory").drop(training)
    assert not [one.model for one in found if one.model.startswith("good")]


def test_a_choice_among_many_models_can_be_stopped() -> None:
    stop = threading.Event()
    stop.set()
    preference = ParetoPreference(race(), 1, LATENCIES, "latency_ms")
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        preference.drop(results(SCORES))


def test_turns_go_by_fronts() -> None:
    front = ParetoPreference(race(), 1, LATENCIES, "latency_ms")
    assert [one.model for one in front.turns(results(SCORES))] == ["slow", "fair", "quick", "poor"]
    costs = {"slow": 1.0, "fair": 2.0, "quick": 3.0, "poor": 4.0}
    turns = ParetoPreference(race(), 1, costs, "latency_ms").turns(results(SCORES))
    assert [one.model for one in turns] == ["slow", "fair", "quick", "poor"]
    costs = {"slow": 9.0, "fair": 9.5, "quick": 1.0, "poor": 2.0}
    turns = ParetoPreference(race(), 1, costs, "latency_ms").turns(results(SCORES))
    assert [one.model for one in turns] == ["slow", "quick", "fair", "poor"]


def test_scores_that_are_no_numbers_win_only_where_there_are_no_others() -> None:
    scores = {**SCORES, "quick": float("nan")}
    front = ParetoPreference(strategy_of("brute_force", SelectOptions()), 4, LATENCIES, "latency_ms")
    assert {one.model for one in front.eligible(results(scores))} == {"slow", "fair"}
    nothing = results(dict.fromkeys(SCORES, float("nan")))
    assert len(front.eligible(nothing)) == len(front.turns(nothing)) == 4


def test_an_epoch_more_is_worth_what_it_may_add_among_models_as_cheap() -> None:
    random = np.random.default_rng(1)
    names, epochs = list("abcdef"), np.array([0.5, 1.0, 2.0])
    later = np.tile([np.nan, 0.02, 0.01], (6, 1))
    forecasts = Forecasts(random.uniform(0.7, 0.8, 6), np.full(6, 0.05), np.full(6, 0.05), later)
    costs = dict(zip(names, [3.0, 1.0, 2.0, 2.0, 5.0, 4.0], strict=True))
    found = ParetoPreference(race(), 2, costs, "latency_ms").values_per_epoch(names, forecasts, epochs, 0)
    for place, name in enumerate(names):
        rivals = np.array([number for number, one in enumerate(names) if costs[one] <= costs[name]])
        expected = values_per_epoch(forecasts.of(rivals), epochs, 0)[rivals.tolist().index(place)]
        assert found[place] == pytest.approx(expected)
    # A penalty for all that is the same changes nothing; one for the leader lets others come close.
    level = ScoreLessCost(race(), 1, dict.fromkeys(names, 0.1), "")
    plain = values_per_epoch(forecasts, epochs, 0)
    assert level.values_per_epoch(names, forecasts, epochs, 0) == pytest.approx(plain)
    leader = names[int(forecasts.mean.argmax())]
    handicap = ScoreLessCost(race(), 1, {**dict.fromkeys(names, 0.0), leader: 0.05}, "")
    assert (handicap.values_per_epoch(names, forecasts, epochs, 0) >= plain).sum() >= 5
