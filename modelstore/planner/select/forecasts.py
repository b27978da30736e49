"""Predictions of final scores, from the records of other datasets than the target."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from modelstore.planner.context import StatementContext
from modelstore.planner.select.race_records import RacePredictions, RaceRecords, Validations
from modelstore.planner.select.request import SelectRequest
from modelstore.records import Curve, CurvePoint
from modelstore.selection.judge import Predict
from modelstore.selection.pooled_prediction import Forecast, Predictor
from modelstore.selection.strategy import Prediction
from modelstore.selection.trend_prediction import predict
from modelstore.store import Store
from modelstore.store.catalog import Dataset

Curves = Mapping[str, Sequence[CurvePoint]]


def predictions_for(context: StatementContext, request: SelectRequest, earlier: Validations) -> Predict:
    """The predictions that the strategy asks for.

    ``earlier`` are the validations by stage of the models of an interrupted selection, those dropped before included.
    """
    store, recipe, options = context.store, request.recipe.name, request.options
    if request.strategy.forecast == "race":
        return RacePredictions(
            partial(race_records, store, request),
            request.stages,
            accuracy_rows(store, [request.target]).get(request.target),
            request.count,
            earlier,
        )
    if request.strategy.forecast == "pooled":
        return PooledPredictions(store, recipe, request.target, request.dataset, options.epochs, options.keep)
    return TrendPredictions(store, recipe, request.target, options.trends, options.keep)


class TrendPredictions:
    """By each model's own convergence trends (Eqs. 5-6); none for a model without curves on record."""

    def __init__(self, store: Store, recipe: str, target: str, trends: int, keep: str):
        self._store = store
        self._recipe = recipe
        self._target = target
        self._trends = trends
        self._keep = keep
        self._known: dict[str, tuple[dict[str, Curve], dict[str, float]]] = {}

    def __call__(self, curves: Curves) -> dict[str, Prediction]:
        predicted = {model: self._predict(model, curve[-1]) for model, curve in curves.items()}
        return {model: Prediction(score) for model, score in predicted.items() if score is not None}

    def _predict(self, model: str, last: CurvePoint) -> float | None:
        if model not in self._known:
            self._known[model] = (
                self._store.curves.of(model, self._recipe, excluding=self._target),
                self._store.results.of(model, self._recipe),
            )
        return predict(last.validation, last.epoch, *self._known[model], self._trends, self._keep)


class PooledPredictions:
    """By the records of all models together, each with its deviation (`modelstore.selection.pooled_prediction`)."""

    def __init__(
        self, store: Store, recipe: str, target: str, dataset: Dataset | None, epochs: float, keep: str
    ):
        self._store = store
        self._recipe = recipe
        self._target = target
        self._rows = dataset.validation_rows if dataset and dataset.metric == "accuracy" else None
        self._epochs = epochs
        self._keep = keep

    @cached_property
    def _predictor(self) -> Predictor:
        store = self._store
        curves = store.curves.all(self._recipe, excluding=self._target)
        rows = accuracy_rows(store, sorted({dataset for _, dataset in curves}))
        results = store.results.matrix(self._recipe, excluding=self._target)
        return Predictor(curves, results, rows, self._epochs, self._keep)

    def __call__(self, curves: Curves) -> dict[str, Prediction]:
        return {model: Prediction(one.mean, one.deviation) for model, one in self.forecasts(curves).items()}

    def forecasts(self, curves: Curves) -> dict[str, Forecast]:
        """Each model's forecast from its curve so far."""
        runs = {
            model: [(point.epoch, point.validation) for point in curve] for model, curve in curves.items()
        }
        return self._predictor.predict(runs, self._rows)


def race_records(store: Store, request: SelectRequest) -> RaceRecords | None:
    """What the records of other datasets than the target say; None where no curves are on record."""
    curves = store.curves.all(request.recipe.name, excluding=request.target)
    if not curves:
        return None
    rows = accuracy_rows(store, sorted({dataset for _, dataset in curves}))
    results = store.results.matrix(request.recipe.name, excluding=request.target)
    return RaceRecords.learn(curves, results, rows, np.array(request.stages.ends), request.options.keep)


def accuracy_rows(store: Store, datasets: Sequence[str]) -> dict[str, int]:
    """The rows of the validation split of those datasets whose score is an accuracy."""
    found = [store.catalog.find_dataset(name) for name in datasets]
    return {
        dataset.name: dataset.validation_rows
        for dataset in found
        if dataset is not None and dataset.metric == "accuracy" and dataset.validation_rows
    }
