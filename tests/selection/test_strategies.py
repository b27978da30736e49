"""Which models are dropped after a stage: Algorithm 1 checked against its own words, and by its properties."""

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


def dropped(strategy: object, results: list[StageResult], keep: int = 1) -> list[str]:
    return [drop.model for drop in strategy.drop(results, keep)]  # type: ignore[attr-defined]


def algorithm_1(results: list[StageResult], threshold: float) -> set[str]:
    """The models that remain, written out from the paper: filter from the worst upward, then halve."""
    remaining = sorted(results, key=lambda s: (s.validation, s.recall_score, [-ord(c) for c in s.model]))
    for model in list(remaining):
        for other in remaining:
            known = other.predicted is not None and model.predicted is not None
            if known and other.validation > model.validation:
                gain = other.predicted - model.predicted  # type: ignore[operator]
                if gain > threshold * abs(model.predicted):  # type: ignore[arg-type]
                    remaining.remove(model)
                    break
    while len(remaining) > max(1, math.floor(len(results) / 2)):
        remaining.pop(0)
    return {model.model for model in remaining}


@given(stages(), st.sampled_from([0.0, 0.05, 0.5]))
def test_fine_selection_is_algorithm_1(results: list[StageResult], threshold: float) -> None:
    gone = set(dropped(FineSelection(threshold), results))
    assert {s.model for s in results} - gone == algorithm_1(results, threshold)


@given(stages())
def test_without_predictions_fine_selection_is_halving(results: list[StageResult]) -> None:
    blind = [StageResult(s.model, s.validation, s.recall_score) for s in results]
    assert dropped(FineSelection(), blind) == dropped(SuccessiveHalving(), blind)


@given(stages(), st.integers(1, 12))
def test_as_many_models_as_wanted_stay_and_none_is_dropped_twice(
    results: list[StageResult], keep: int
) -> None:
    for strategy in (FineSelection(), SuccessiveHalving()):
        gone = dropped(strategy, results, keep)
        assert len(set(gone)) == len(gone)
        assert len(results) - len(gone) >= min(keep, len(results))
        assert len(results) - len(gone) <= max(keep, len(results) // 2, 1)


@given(stages())
def test_the_best_validation_is_never_dropped(results: list[StageResult]) -> None:
    best = from_worst(results)[-1]
    for strategy in (FineSelection(), SuccessiveHalving(), BruteForce()):
        assert best.model not in dropped(strategy, results)


def test_brute_force_drops_no_model() -> None:
    assert dropped(BruteForce(), [StageResult("a", 0.1), StageResult("b", 0.9)]) == []


def test_a_tie_goes_to_the_better_recall_score() -> None:
    tied = [StageResult("a", 0.5, recall_score=0.1), StageResult("b", 0.5, recall_score=0.2)]
    assert dropped(SuccessiveHalving(), tied) == ["a"]


def test_a_model_that_is_worse_now_but_predicted_better_survives_the_filter() -> None:
    results = [
        StageResult("slow", 0.50, predicted=0.90),
        StageResult("fast", 0.60, predicted=0.80),
        StageResult("poor", 0.55, predicted=0.60),
        StageResult("weak", 0.45, predicted=0.70),
    ]
    # The filter takes poor and weak; halving would have taken slow and weak.
    assert dropped(FineSelection(), results) == ["weak", "poor"]


def test_a_drop_by_prediction_names_the_better_model() -> None:
    [drop] = FineSelection().drop(
        [StageResult("a", 0.4, predicted=0.5), StageResult("b", 0.6, predicted=0.7)], 1
    )
    assert drop.reason == "predicted 0.5000; b is better now (0.6000 against 0.4000) and is predicted 0.7000"


@given(stages())
def test_a_drop_by_prediction_names_the_best_predicted_of_those_that_are_better(
    results: list[StageResult],
) -> None:
    by_name = {one.model: one for one in results}
    for drop in FineSelection().drop(results, 1):
        if "predicted" in drop.reason:
            model, named = by_name[drop.model], by_name[drop.reason.split("; ")[1].split()[0]]
            better = [
                one for one in results if one.predicted is not None and one.validation > model.validation
            ]
            assert named in better
            assert (named.predicted, named.validation) == max(
                (one.predicted, one.validation) for one in better
            )


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
def test_the_best_forecasts_stay_and_every_model_that_stays_may_still_win(
    results: list[StageResult], keep: int
) -> None:
    keep = min(keep, len(results))
    race = ProbabilityOfImprovement(0.2)
    ranked = race.rank(results)
    gone = set(dropped(race, results, keep))
    assert not gone & {s.model for s in ranked[:keep]}
    for result in ranked[keep:]:
        assert (improvement(result, ranked[keep - 1]) < 0.2) == (result.model in gone)


@given(forecasts())
def test_a_higher_bound_drops_no_fewer(results: list[StageResult]) -> None:
    low, high = (set(dropped(ProbabilityOfImprovement(bound), results)) for bound in (0.1, 0.4))
    assert low <= high


def test_an_uncertain_model_goes_on_where_a_certain_one_is_dropped() -> None:
    leader = StageResult("leader", 0.8, predicted=0.8, deviation=0.02)
    sure = StageResult("sure", 0.7, predicted=0.7, deviation=0.02)
    unsure = StageResult("unsure", 0.7, predicted=0.7, deviation=0.2)
    [drop] = ProbabilityOfImprovement(0.2).drop([sure, leader, unsure], 1)
    assert drop.model == "sure"
    assert drop.reason == (
        "predicted 0.7000 ± 0.0200: a chance of 0.00 of ending above leader, predicted 0.8000 ± 0.0200"
    )
