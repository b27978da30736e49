"""Who is dropped after a stage: Algorithm 1 checked against its own words, and by its properties."""

import math

from hypothesis import given
from hypothesis import strategies as st

from modelstore.selection.brute_force import BruteForce
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import ProbabilityOfImprovement, improvement
from modelstore.selection.strategy import StageResult, from_worst
from modelstore.selection.successive_halving import SuccessiveHalving

scores = st.floats(0.0, 1.0).map(lambda value: round(value, 2))  # rounded, so that ties come up
deviations = st.floats(0.0, 0.3)
predictions = st.one_of(st.none(), st.floats(-0.2, 1.0).map(lambda value: round(value, 2)))


@st.composite
def stages(draw: st.DrawFn) -> list[StageResult]:
    count = draw(st.integers(1, 12))
    return [
        StageResult(f"m{number:02}", draw(scores), draw(scores), draw(predictions)) for number in range(count)
    ]


def dropped(strategy: object, standings: list[StageResult], keep: int = 1) -> list[str]:
    return [drop.model for drop in strategy.drop(standings, keep)]  # type: ignore[attr-defined]


def algorithm_1(standings: list[StageResult], threshold: float) -> set[str]:
    """Who remains, written out from the paper: filter from the worst upward, then halve."""
    remaining = sorted(standings, key=lambda s: (s.validation, s.recall_score, [-ord(c) for c in s.model]))
    for model in list(remaining):
        for other in remaining:
            known = other.predicted is not None and model.predicted is not None
            if known and other.validation > model.validation:
                gain = other.predicted - model.predicted  # type: ignore[operator]
                if gain > threshold * abs(model.predicted):  # type: ignore[arg-type]
                    remaining.remove(model)
                    break
    while len(remaining) > max(1, math.floor(len(standings) / 2)):
        remaining.pop(0)
    return {model.model for model in remaining}


@given(stages(), st.sampled_from([0.0, 0.05, 0.5]))
def test_fine_selection_is_algorithm_1(standings: list[StageResult], threshold: float) -> None:
    gone = set(dropped(FineSelection(threshold), standings))
    assert {s.model for s in standings} - gone == algorithm_1(standings, threshold)


@given(stages())
def test_without_predictions_fine_selection_is_halving(standings: list[StageResult]) -> None:
    blind = [StageResult(s.model, s.validation, s.recall_score) for s in standings]
    assert dropped(FineSelection(), blind) == dropped(SuccessiveHalving(), blind)


@given(stages(), st.integers(1, 12))
def test_so_many_are_kept_and_nobody_is_dropped_twice(standings: list[StageResult], keep: int) -> None:
    for strategy in (FineSelection(), SuccessiveHalving()):
        gone = dropped(strategy, standings, keep)
        assert len(set(gone)) == len(gone)
        assert len(standings) - len(gone) >= min(keep, len(standings))
        assert len(standings) - len(gone) <= max(keep, len(standings) // 2, 1)


@given(stages())
def test_the_best_validation_is_never_dropped(standings: list[StageResult]) -> None:
    best = from_worst(standings)[-1]
    for strategy in (FineSelection(), SuccessiveHalving(), BruteForce()):
        assert best.model not in dropped(strategy, standings)


def test_brute_force_drops_nobody() -> None:
    assert dropped(BruteForce(), [StageResult("a", 0.1), StageResult("b", 0.9)]) == []


def test_a_tie_goes_to_the_better_recall_score() -> None:
    tied = [StageResult("a", 0.5, recall_score=0.1), StageResult("b", 0.5, recall_score=0.2)]
    assert dropped(SuccessiveHalving(), tied) == ["a"]


def test_a_model_that_is_worse_now_but_predicted_better_survives_the_filter() -> None:
    standings = [
        StageResult("slow", 0.50, predicted=0.90),
        StageResult("fast", 0.60, predicted=0.80),
        StageResult("poor", 0.55, predicted=0.60),
        StageResult("weak", 0.45, predicted=0.70),
    ]
    # The filter takes poor and weak; halving would have taken slow and weak.
    assert dropped(FineSelection(), standings) == ["weak", "poor"]


def test_a_drop_by_prediction_says_who_was_better() -> None:
    [drop] = FineSelection().drop(
        [StageResult("a", 0.4, predicted=0.5), StageResult("b", 0.6, predicted=0.7)], 1
    )
    assert drop.reason == "predicted 0.5000; b is better now (0.6000 against 0.4000) and is predicted 0.7000"


def test_forty_models_cost_what_the_paper_says_of_successive_halving() -> None:
    left, epochs = 40, 0
    for _ in range(5):
        epochs += left
        left = SuccessiveHalving().survivors(left, 1)
    assert epochs == 77


@st.composite
def forecasts(draw: st.DrawFn) -> list[StageResult]:
    count = draw(st.integers(1, 12))
    return [
        StageResult(f"m{number:02}", draw(scores), draw(scores), draw(scores), draw(deviations))
        for number in range(count)
    ]


@given(forecasts(), st.integers(1, 12))
def test_the_best_forecasts_stay_and_who_stays_may_still_win(standings: list[StageResult], keep: int) -> None:
    keep = min(keep, len(standings))
    race = ProbabilityOfImprovement(0.2)
    ranked = race.rank(standings)
    gone = set(dropped(race, standings, keep))
    assert not gone & {s.model for s in ranked[:keep]}
    for standing in ranked[keep:]:
        assert (improvement(standing, ranked[keep - 1]) < 0.2) == (standing.model in gone)


@given(forecasts())
def test_a_higher_bound_drops_no_fewer(standings: list[StageResult]) -> None:
    low, high = (set(dropped(ProbabilityOfImprovement(bound), standings)) for bound in (0.1, 0.4))
    assert low <= high


def test_who_is_unsure_goes_on_where_who_is_sure_is_dropped() -> None:
    leader = StageResult("leader", 0.8, predicted=0.8, deviation=0.02)
    sure = StageResult("sure", 0.7, predicted=0.7, deviation=0.02)
    unsure = StageResult("unsure", 0.7, predicted=0.7, deviation=0.2)
    [drop] = ProbabilityOfImprovement(0.2).drop([sure, leader, unsure], 1)
    assert drop.model == "sure"
    assert drop.reason == (
        "predicted 0.7000 ± 0.0200: a chance of 0.00 of ending above leader, predicted 0.8000 ± 0.0200"
    )
