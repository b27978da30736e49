"""Predictions of final scores, from the records of other datasets than the target."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from modelstore.planner.context import StatementContext
from modelstore.planner.select.arm_records import recorded_curves, recorded_results
from modelstore.planner.select.arms import Arms
from modelstore.planner.select.race_records import RacePredictions, RaceRecords, Validations
from modelstore.planner.select.request import SelectRequest
from modelstore.records import Curve, CurvePoint
from modelstore.selection.judge import Predict
from modelstore.selection.pooled_prediction import Forecast, Predictor
from modelstore.selection.preference import Preference
from modelstore.selection.sample import Sample
from modelstore.selection.strategy import Prediction
from modelstore.selection.trend_prediction import predict
from modelstore.store import Store
from modelstore.store.registered import Dataset

Curves = Mapping[str, Sequence[CurvePoint]]


def predictions_for(
    context: StatementContext, request: SelectRequest, earlier: Validations, preference: Preference
) -> Predict:
    """The predictions that the strategy asks for.

    Parameters
    ----------
    context, request
        The statement's context, and what it asks for.
    earlier
        The validations by stage of the models of an interrupted selection, those dropped before included.
    preference
        What makes one model better than another.
    """
    store, options = context.store, request.options
    if request.strategy.forecast == "race":
        return RacePredictions(
            partial(race_records, store, request),
            request.arms.recorded_pair,
            request.stages,
            samples_of(store, [request.target]).get(request.target),
            request.count,
            earlier,
            preference,
        )
    if request.strategy.forecast == "pooled":
        return PooledPredictions(
            store, request.arms, request.target, request.dataset, options.epochs, options.keep
        )
    return TrendPredictions(store, request.arms, request.target, options.trends, options.keep)


class TrendPredictions:
    """By each arm's own convergence trends (Eqs. 5-6); none for an arm without curves on record.

    An arm of a recipe that is derived from another by a list of values has, without curves of its own, those of that
    recipe.
    """

    def __init__(self, store: Store, arms: Arms, target: str, trends: int, keep: str):
        self._store = store
        self._arms = arms
        self._target = target
        self._trends = trends
        self._keep = keep
        self._known: dict[str, tuple[dict[str, Curve], dict[str, float]]] = {}

    def __call__(self, curves: Curves) -> dict[str, Prediction]:
        predicted = {arm: self._predict(arm, curve[-1]) for arm, curve in curves.items()}
        return {arm: Prediction(score) for arm, score in predicted.items() if score is not None}

    def _predict(self, arm: str, last: CurvePoint) -> float | None:
        if arm not in self._known:
            self._known[arm] = self._records_of(arm)
        return predict(last.validation, last.epoch, *self._known[arm], self._trends, self._keep)

    def _records_of(self, arm: str) -> tuple[dict[str, Curve], dict[str, float]]:
        model, recipe = self._arms[arm]
        curves = self._store.curves.of(model, recipe.variant, excluding=self._target)
        if curves or recipe.variant == recipe.name:
            return curves, self._store.results.of(model, recipe.variant)
        curves = self._store.curves.of(model, recipe.name, excluding=self._target)
        return curves, self._store.results.of(model, recipe.name)


class PooledPredictions:
    """By the records of all arms together, each with its deviation (`modelstore.selection.pooled_prediction`)."""

    def __init__(
        self, store: Store, arms: Arms, target: str, dataset: Dataset | None, epochs: float, keep: str
    ):
        self._store = store
        self._arms = arms
        self._target = target
        self._sample = _sample(dataset)
        self._epochs = epochs
        self._keep = keep

    @cached_property
    def _predictor(self) -> Predictor:
        store, arms = self._store, self._arms
        curves = recorded_curves(store, arms, self._target)
        samples = samples_of(store, sorted({dataset for _, dataset in curves}))
        results = recorded_results(store, arms, self._target)
        return Predictor(curves, results, samples, self._epochs, self._keep)

    def __call__(self, curves: Curves) -> dict[str, Prediction]:
        return {arm: Prediction(one.mean, one.deviation) for arm, one in self.forecasts(curves).items()}

    def forecasts(self, curves: Curves) -> dict[str, Forecast]:
        """Each arm's forecast from its curve so far."""
        runs = {arm: [(point.epoch, point.validation) for point in curve] for arm, curve in curves.items()}
        return self._predictor.predict(runs, self._sample)


def race_records(store: Store, request: SelectRequest) -> RaceRecords | None:
    """What the records of other datasets than the target say; None where no curves are on record."""
    recipes = request.arms.prior_recipes
    curves = {recipe: store.curves.all(recipe, excluding=request.target) for recipe in recipes}
    datasets = {dataset for of_recipe in curves.values() for _, dataset in of_recipe}
    if not datasets:
        return None
    samples = samples_of(store, sorted(datasets))
    results = {recipe: store.results.matrix(recipe, excluding=request.target) for recipe in recipes}
    return RaceRecords.learn(curves, results, samples, np.array(request.stages.ends), request.options.keep)


def samples_of(store: Store, datasets: Sequence[str]) -> dict[str, Sample]:
    """The validation rows of those datasets that are registered."""
    found = {name: _sample(store.catalog.find_dataset(name)) for name in datasets}
    return {name: sample for name, sample in found.items() if sample is not None}


def _sample(dataset: Dataset | None) -> Sample | None:
    return Sample.of(dataset.validation_rows, dataset.metric) if dataset else None
