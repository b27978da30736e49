"""How well the race chooses, by replay of recorded curves, and what it takes to compute.

    python benchmarks/choosing.py [--records DIR ...] [--draws N]

`benchmarks/data` holds the validation records; each DIR of --records holds curves and datasets in the same shape
(curves.parquet or .csv: model, dataset, epoch, validation, test and, where there are several, seed; datasets:
name, metric, modality, train_rows, validation_rows, test_rows). Each dataset is held out in turn, with each seed that
it was trained with; of its seeds the mean is taken, and ± is the standard error over the datasets. Of the others all,
ten, five, three or none are on record (--draws draws of them), one run of each pair.

- regret: the best final test score of any model less the chosen one's; brute force has one too, since it chooses
  by validation;
- difference: the race's regret less the method's, paired by dataset: negative where the race is better;
- within noise: the share of datasets whose regret is at most √2 standard deviations of a test score.

`two_phase` is the default before the race: the ten best by mean score, then fine selection at threshold 0. No
scoring is charged to it, since the records have next to no proxy scores; with nothing on record, where it would
recall by proxy, it has the first ten by name. Within a budget, brute force trains as many models as it has room for,
the best by prior first.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from recorded_curves import (
    Floats,
    Recorded,
    Target,
    at_epoch,
    difference_and_error,
    final,
    mean_and_error,
    open_records,
    targets,
)

from modelstore.options import SelectOptions
from modelstore.planner.compare.expectation import is_within_noise
from modelstore.planner.select.race_records import RacePredictions, RaceRecords
from modelstore.planner.select.trainers import ReplayTrainer
from modelstore.recall.best_chances import best_set, chances_of_best
from modelstore.recall.coarse_recall import mean_scores
from modelstore.recall.combined_scores import DEFAULT_SLOPES, features
from modelstore.recall.normal_scores import normal_score_prior
from modelstore.records import CurvePoint, Matrix
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.budget import Budget, Ledger
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.forecast_learning import CurveRecords, at_points, learn_forecasts
from modelstore.selection.judge import Judge, Predict
from modelstore.selection.loop import Selection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.sample import Sample
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.stage_plan import stage_epochs
from modelstore.selection.strategy import Prediction, StageResult, Strategy
from modelstore.selection.successive_halving import SuccessiveHalving
from modelstore.selection.value_race import LEAST_DATASETS, ValueOfInformation
from modelstore.udfs.trends import Trends, convergence_trends, predict_final

DATA = Path(__file__).parent / "data"
BUDGETS = (None, 5, 8, 12, 20, 40)
KNOWN = (None, 10, 5, 3, 0)  # datasets on record; None: all others
BATCH_SIZE = 16
RECIPE = "recorded"
RECALLED = 10
PRICES = (0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003, 0.005)
NINETY = 1.6449
Outcome = tuple[int, float, float]  # the place of the chosen model, epochs in all, and its test score
Method = Callable[[Target, float | None], Outcome]


def plan_of(target: Target) -> StageEnds:
    """The points of the plan that all recorded curves of the target reach; some records begin after its first."""
    points = stage_epochs(int(target.recorded.train_rows[target.dataset]), target.epochs, BATCH_SIZE)
    reached = points[points > max(curve.epochs[0] for curve in target.curves) - 1e-6]
    return StageEnds(tuple(reached.tolist()))


def learned(target: Target, stages: StageEnds) -> RaceRecords | None:
    """What the datasets on record say."""
    recorded = target.recorded
    curves = {
        (recorded.models[model], recorded.datasets[known]): curve
        for known in target.known
        for model, curve in recorded.first_runs(known).items()
    }
    if not curves:
        return None
    no_results = Matrix([], [], np.empty((0, 0)))
    return RaceRecords.learn(
        {RECIPE: curves}, {RECIPE: no_results}, recorded.validation, np.array(stages.ends)
    )


def predictions(target: Target, stages: StageEnds) -> RacePredictions:
    sample = target.recorded.validation.get(target.recorded.datasets[target.dataset])
    return RacePredictions(lambda: learned(target, stages), lambda model: (model, RECIPE), stages, sample)


def walk(
    target: Target,
    strategy: Strategy,
    stages: StageEnds,
    scores: Floats,
    predict: Predict,
    budget: float | None,
    recalled: int | None = None,
) -> Outcome:
    """A selection of the ``recalled`` best by their scores: (models,)."""
    names = [target.recorded.models[model] for model in target.models]
    order = np.argsort(-scores, kind="stable")[:recalled]
    recall_scores = {names[place]: float(scores[place]) for place in order}
    executor = ReplayExecutor("target", dict(zip(names, target.curves, strict=True)), {}, stages)
    ledger = Ledger(stages, Budget(epochs=budget), shares=strategy.shares_budget)
    judge = Judge(strategy, 1, recall_scores, predict)
    selection = Selection(recall_scores, ReplayTrainer(executor), judge, ledger, lambda decisions: None)
    [winner] = selection.run()
    return names.index(winner.model), ledger.epochs, winner.test


def by_race(target: Target, budget: float | None, price: float = SelectOptions.price) -> Outcome:
    stages = plan_of(target)
    race = ValueOfInformation(price, budget is not None, len(target.known))
    prior = normal_score_prior(target.finals)[target.models]
    return walk(target, race, stages, prior, predictions(target, stages), budget)


def by_brute_force(posterior: bool) -> Method:
    def choose(target: Target, budget: float | None) -> Outcome:
        stages = plan_of(target)
        prior = normal_score_prior(target.finals)[target.models]
        room = len(prior) if budget is None else max(1, int(budget / target.epochs))
        strategy = ByPrediction() if posterior and target.known else BruteForce()
        found = walk(target, strategy, stages, prior, predictions(target, stages), None, room)
        return found[0], room * target.epochs, found[2]

    return choose


class ByPrediction(BruteForce):
    """Brute force that chooses by posterior mean."""

    forecast = "race"

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        return sorted(super().rank(results), key=lambda one: -(one.predicted or 0.0))


def by_strategy(strategy: Strategy, recalled: int | None = None) -> Method:
    """A strategy with stages of an epoch; the ``recalled`` best by mean score alone."""

    def choose(target: Target, budget: float | None) -> Outcome:
        means = mean_scores(target.finals)[target.models]
        means = np.where(np.isfinite(means), means, 1.0 if np.isnan(means).all() else np.nanmean(means))
        stages = StageEnds.uniform(target.epochs)
        return walk(target, strategy, stages, means, partial(by_trends, target), budget, recalled)

    return choose


TRENDS: dict[tuple[str, int, int, tuple[int, ...]], Trends] = {}


def by_trends(target: Target, curves: Mapping[str, Sequence[CurvePoint]]) -> dict[str, Prediction]:
    """What each model's own convergence trends foretell (Eqs. 5 and 6)."""
    found = {
        name: predict_final(
            curve[-1].validation,
            trends_of(target, target.recorded.models.index(name), round(curve[-1].epoch)),
        )
        for name, curve in curves.items()
    }
    return {name: Prediction(score) for name, score in found.items() if score is not None}


def trends_of(target: Target, model: int, epoch: int) -> Trends:
    key = (target.recorded.title, model, epoch, tuple(target.known))
    if key not in TRENDS:
        runs = [target.recorded.first_runs(dataset).get(model) for dataset in target.known]
        known = [run for run in runs if run is not None]
        TRENDS[key] = convergence_trends(
            [run.validations[at_epoch(run, epoch)] for run in known], [final(run) for run in known]
        )
    return TRENDS[key]


METHODS: dict[str, Method] = {
    "race": by_race,
    "two_phase": by_strategy(FineSelection(), RECALLED),
    "fine_selection": by_strategy(FineSelection()),
    "successive_halving": by_strategy(SuccessiveHalving()),
    "brute force, raw pick": by_brute_force(False),
    "brute force, posterior pick": by_brute_force(True),
}


def measure(found: list[Target], budget: float | None) -> dict[str, Floats]:
    """Of each method (datasets, 3): regret, epochs, and the share within noise, the means over seeds and draws."""
    of_method = {}
    for name, method in METHODS.items():
        by_dataset: dict[int, list[tuple[float, float, float]]] = {}
        for target in found:
            _, spent, score = method(target, budget)
            assert budget is None or spent <= budget + 1e-9, f"{name} exceeds its budget of {budget}: {spent}"
            best = float(target.truth.max())
            within = is_within_noise(best, score, target.recorded.test[target.dataset])
            by_dataset.setdefault(target.dataset, []).append((best - score, spent, within))
        of_method[name] = np.array([np.mean(rows, axis=0) for rows in by_dataset.values()])
    return of_method


def prices(recorded: Recorded) -> Iterator[str]:
    """The race at several prices of an epoch, with all others on record: what it buys."""
    found = list(targets(recorded, None, 1))
    yield f"## {recorded.title}: prices of an epoch"
    yield ""
    yield "| price | epochs | regret |"
    yield "| --- | --- | --- |"
    for price in PRICES:
        by_dataset: dict[int, list[tuple[float, float]]] = {}
        for target in found:
            _, spent, score = by_race(target, None, price)
            by_dataset.setdefault(target.dataset, []).append((target.truth.max() - score, spent))
        values = np.array([np.mean(rows, axis=0) for rows in by_dataset.values()])
        yield f"| {price:g} | {values[:, 1].mean():.1f} | {mean_and_error(values[:, 0])} |"
    yield ""


def timings() -> Iterator[str]:
    """Of random records, the best of three."""
    random = np.random.default_rng(0)
    scores = random.random((100_000, 100))
    scores[random.random(scores.shape) < 0.3] = np.nan
    points = np.linspace(0.25, 4.0, 16)
    finals, validations = random.random((1_000, 40)), random.random((1_000, 40, 16))
    finals[random.random(finals.shape) < random.random((1_000, 1))] = (
        np.nan
    )  # models of all numbers of records
    records = CurveRecords(validations, finals, np.zeros(finals.shape), [Sample(300)] * 40)
    forecasts, prior = learn_forecasts(records, points, 4.0), random.normal(size=1_000)
    seen = np.where(np.arange(16) < random.integers(1, 6, 1_000)[:, None], validations[:, 0], np.nan)
    x = features(random.normal(size=100_000), random.normal(size=100_000))
    work: dict[str, Callable[[], object]] = {
        "prior of 100,000 models × 100 datasets": lambda: normal_score_prior(scores),
        "chances of 100,000 models": lambda: chances_of_best(x, DEFAULT_SLOPES),
        "set of 20 among 100,000": lambda: best_set(x, DEFAULT_SLOPES, 20),
        "learning from 1,000 models × 40 datasets at 16 points": lambda: learn_forecasts(
            records, points, 4.0
        ),
        "forecasts of 1,000 models at 16 points": lambda: forecasts.predict(
            seen, prior, np.arange(1_000), Sample(300)
        ),
    }
    yield "| work | seconds |"
    yield "| --- | --- |"
    for name, run in work.items():
        taken = []
        for _ in range(3):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        yield f"| {name} | {min(taken):.4f} |"
    yield ""


def choices(recorded: Recorded, known: int | None, draws: int) -> Iterator[str]:
    found = list(targets(recorded, known, draws))
    if not found:
        return
    yield f"## {recorded.title}: {'all others' if known is None else known or 'no'} datasets on record"
    yield ""
    yield "| budget | method | epochs | regret | difference | within noise |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for budget in BUDGETS:
        measured = measure(found, budget)
        race = measured["race"]
        for name, values in measured.items():
            difference = "" if name == "race" else difference_and_error(race[:, 0] - values[:, 0])
            yield (
                f"| {budget or 'none'} | {name} | {values[:, 1].mean():.1f} | {mean_and_error(values[:, 0])} | "
                f"{difference} | {values[:, 2].mean():.0%} |"
            )
    yield ""


def coverage(recorded: Recorded, known: int | None, draws: int) -> Iterator[str]:
    """How many final scores are within the 90 % interval around their forecast, with all models at a point."""
    rows: dict[int, dict[int, list[tuple[float, float, float, float]]]] = {}
    for target in targets(recorded, known, draws):
        stages = plan_of(target)
        records = learned(target, stages)
        if records is None:
            return
        names = [target.recorded.models[model] for model in target.models]
        sample = target.recorded.validation.get(target.recorded.datasets[target.dataset])
        points = np.array(stages.ends)
        validations = [at_points(points, curve.epochs, curve.validations) for curve in target.curves]
        for point, epoch in enumerate(stages.ends):
            seen = np.array(validations)
            seen[:, point + 1 :] = np.nan
            forecast = records.forecast([(name, RECIPE) for name in names], seen, sample)
            errors = target.truth - forecast.mean
            own = errors - errors.mean()
            rows.setdefault(point, {}).setdefault(target.dataset, []).append(
                (
                    epoch,
                    float((np.abs(errors) < NINETY * forecast.spread).mean()),
                    float(np.abs(errors).mean()),
                    float((np.abs(own) < NINETY * forecast.deviation).mean()),
                )
            )
    if not rows:
        return
    yield f"## {recorded.title}: forecasts, {'all others' if known is None else known or 'no'} on record"
    yield ""
    yield "| after epoch | within 90 % | mean error | within 90 %, less what the models share |"
    yield "| --- | --- | --- | --- |"
    for of_point in rows.values():
        of_dataset = [np.mean(of_run, axis=0) for of_run in of_point.values()]
        epoch, within, error, own = np.mean(of_dataset, axis=0)
        yield f"| {epoch:.2f} | {within:.2f} | {error:.4f} | {own:.2f} |"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--records", type=Path, nargs="*", default=[DATA], help="folders of curves and datasets"
    )
    parser.add_argument("--draws", type=int, default=3, help="draws of what is on record")
    given = parser.parse_args()
    for folder in given.records:
        for recorded in open_records(folder):
            for known in KNOWN:
                print(*coverage(recorded, known, given.draws), sep="\n", flush=True)
            if len(recorded.datasets) > LEAST_DATASETS:
                print(*prices(recorded), sep="\n", flush=True)
            for known in KNOWN:
                print(*choices(recorded, known, given.draws), sep="\n", flush=True)
    print("## Time", "", *timings(), sep="\n")


if __name__ == "__main__":
    main()
