"""What a race knows of recorded runs: forecasts learned from their curves, and the models' prior."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelstore.recall.normal_scores import normal_score_prior, priors_without_each
from modelstore.records import Curve, CurvePoint, Matrix
from modelstore.selection.forecast import Floats, ForecastModel, Forecasts
from modelstore.selection.forecast_learning import CurveRecords, at_points, learn_forecasts
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.strategy import Prediction
from modelstore.selection.value_of_information import values_per_epoch
from modelstore.udfs.trends import final_score

Pair = tuple[str, str]  # model, dataset
Validations = Mapping[str, Sequence[float]]  # by model, after each stage


@dataclass(frozen=True)
class RaceRecords:
    """What was learned from the records of other datasets than the target.

    Attributes
    ----------
    forecasts
        Learned from the recorded curves.
    place_of
        The place of each model with curves among those of ``forecasts``.
    prior_of
        The `normal_score_prior` of each model on record.
    """

    forecasts: ForecastModel
    place_of: Mapping[str, int]
    prior_of: Mapping[str, float]

    @classmethod
    def learn(
        cls,
        curves: Mapping[Pair, Curve],
        results: Matrix,
        validation_rows: Mapping[str, int],
        points: Floats,
        keep: str = "best",
    ) -> "RaceRecords":
        """Learns from the recorded curves and final scores, without the target's.

        Parameters
        ----------
        validation_rows
            By dataset, for those whose score is an accuracy.
        points
            (points,) the epochs at which the stages end, the last that of a whole training.
        keep
            Which point of a recorded run counts, ``'best'`` or ``'last'``.
        """
        scores = _with_tests(results, curves, keep)
        models = sorted({model for model, _ in curves})
        datasets = sorted({dataset for _, dataset in curves})
        row_of = {model: row for row, model in enumerate(models)}
        column_of = {dataset: column for column, dataset in enumerate(datasets)}
        validations = np.full((len(models), len(datasets), len(points)), np.nan)
        for (model, dataset), curve in curves.items():
            validations[row_of[model], column_of[dataset]] = at_points(
                points, curve.epochs, curve.validations
            )
        columns = [scores.datasets.index(dataset) for dataset in datasets]
        records = CurveRecords(
            validations,
            scores.rows(models)[:, columns],
            scores.picked(priors_without_each(scores.scores), models)[:, columns],
            np.array([validation_rows.get(dataset, np.nan) for dataset in datasets], dtype=float),
        )
        prior = normal_score_prior(scores.scores).tolist()
        learned = learn_forecasts(records, points, float(points[-1]))
        return cls(learned, row_of, dict(zip(scores.models, prior, strict=True)))

    def forecast(
        self, models: Sequence[str], validations: Floats, validation_rows: float | None
    ) -> Forecasts:
        """The forecasts of a target's models from their validations so far: (models, points), NaN where none is."""
        prior = np.array([self.prior_of.get(model, 0.0) for model in models])
        places = np.array([self.place_of.get(model, -1) for model in models])
        return self.forecasts.predict(validations, prior, places, validation_rows)


class RacePredictions:
    """By the Gaussian of `modelstore.selection.forecast`, with what an epoch more of each model is worth.

    All models that the selection has trained tell of the target, those dropped before included. Nothing is predicted
    where no curves are on record.

    Parameters
    ----------
    learn
        Learns from the records when a prediction is first asked for; None where there are no curves.
    stages
        Where the stages end.
    validation_rows
        Of the target, where its score is an accuracy.
    count
        How many winners there are to be.
    earlier
        The validations of an interrupted selection, those of models that were dropped included.
    """

    def __init__(
        self,
        learn: Callable[[], RaceRecords | None],
        stages: StageEnds,
        validation_rows: float | None = None,
        count: int = 1,
        earlier: Validations | None = None,
    ):
        self._learn = learn
        self._points = np.array(stages.ends)
        self._validation_rows = validation_rows
        self._count = count
        self._seen = dict(earlier or {})

    @cached_property
    def _records(self) -> RaceRecords | None:
        return self._learn()

    def __call__(self, curves: Mapping[str, Sequence[CurvePoint]]) -> dict[str, Prediction]:
        for model, curve in curves.items():
            self._seen[model] = [point.validation for point in curve]
        if self._records is None:
            return {}
        models = sorted(self._seen)
        validations = np.full((len(models), len(self._points)), np.nan)
        for row, model in enumerate(models):
            validations[row, : len(self._seen[model])] = self._seen[model]
        racing = np.array([models.index(model) for model in curves])
        forecasts = self._records.forecast(models, validations, self._validation_rows).of(racing)
        reached = max(len(curve) for curve in curves.values()) - 1
        values = values_per_epoch(forecasts, self._points, reached, self._count)
        return {
            model: Prediction(*one)
            for model, *one in zip(
                curves, forecasts.mean.tolist(), forecasts.deviation.tolist(), values.tolist(), strict=True
            )
        }


def _with_tests(results: Matrix, curves: Mapping[Pair, Curve], keep: str) -> Matrix:
    """The results, with the final test scores of the curves."""
    models = sorted({*results.models, *(model for model, _ in curves)})
    datasets = sorted({*results.datasets, *(dataset for _, dataset in curves)})
    scores = np.full((len(models), len(datasets)), np.nan)
    row_of = {model: row for row, model in enumerate(models)}
    column_of = {dataset: column for column, dataset in enumerate(datasets)}
    if results.models:
        rows = [row_of[model] for model in results.models]
        scores[np.ix_(rows, [column_of[dataset] for dataset in results.datasets])] = results.scores
    for (model, dataset), curve in curves.items():
        place = row_of[model], column_of[dataset]
        known = float(scores[place])
        counted = curve.validations if keep == "best" else None
        scores[place] = final_score(curve.tests, None if np.isnan(known) else known, counted)
    return Matrix(models, datasets, scores)
