"""What a race knows of recorded runs: forecasts learned from their curves, and the models' prior."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from modelstore.recall.normal_scores import normal_score_prior, priors_without_each
from modelstore.recall.pooled_recipes import pool_recipes
from modelstore.records import Curve, CurvePoint, Matrix
from modelstore.selection.forecast import Floats, ForecastModel, Forecasts
from modelstore.selection.forecast_learning import CurveRecords, at_points, learn_forecasts
from modelstore.selection.preference import Preference
from modelstore.selection.recipe_effects import recipe_effects
from modelstore.selection.sample import Sample
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.strategy import Prediction
from modelstore.selection.value_race import ValueOfInformation
from modelstore.udfs.trends import final_score

Pair = tuple[str, str]  # model, recipe
CurvesOfRecipe = Mapping[tuple[str, str], Curve]  # by model and dataset
Validations = Mapping[str, Sequence[float]]  # by arm, after each stage


@dataclass(frozen=True)
class RaceRecords:
    """What was learned from the records of other datasets than the target, of one recipe or several.

    The forecasts are of pairs of model and recipe, with the effects of the recipes taken off. A pair on record has an
    effect of its own; any other has its model's prior, which is pooled over the recipes, and its recipe's effect.

    Attributes
    ----------
    forecasts
        Learned from the recorded curves.
    place_of
        The place of each pair with curves among those of ``forecasts``.
    prior_of
        The `normal_score_prior` of each model on record, by `pool_recipes`.
    effect_of
        By recipe, its `recipe_effects` on (final test score, validation at each point): (1 + points,).
    """

    forecasts: ForecastModel
    place_of: Mapping[Pair, int]
    prior_of: Mapping[str, float]
    effect_of: Mapping[str, Floats]

    @classmethod
    def learn(
        cls,
        curves: Mapping[str, CurvesOfRecipe],
        results: Mapping[str, Matrix],
        samples: Mapping[str, Sample],
        points: Floats,
        keep: str = "best",
    ) -> "RaceRecords":
        """Learns from the recorded curves and final scores by recipe, without the target's.

        Parameters
        ----------
        samples
            The validation rows by dataset, where they are known.
        points
            (points,) the epochs at which the stages end, the last that of a whole training.
        keep
            Which point of a recorded run counts, ``'best'`` or ``'last'``.
        """
        finals = {recipe: _with_tests(results[recipe], curves[recipe], keep) for recipe in curves}
        pooled = pool_recipes(list(finals.values()))
        pairs = sorted({(model, recipe) for recipe in curves for model, _ in curves[recipe]})
        datasets = sorted({dataset for of_recipe in curves.values() for _, dataset in of_recipe})
        scores = _scores(pairs, datasets, curves, finals, points)
        _, of_models = np.unique([model for model, _ in pairs], return_inverse=True)
        recipes, of_recipes = np.unique([recipe for _, recipe in pairs], return_inverse=True)
        effects = recipe_effects(scores, of_models, of_recipes)
        effect_of = dict(zip(recipes.tolist(), effects, strict=True))
        scores = scores - np.array([effect_of[recipe] for _, recipe in pairs])[:, None]
        columns = [pooled.datasets.index(dataset) for dataset in datasets]
        priors = pooled.picked(priors_without_each(pooled.scores), [model for model, _ in pairs])
        records = CurveRecords(
            scores[:, :, 1:],
            scores[:, :, 0],
            priors[:, columns],
            [samples.get(dataset) for dataset in datasets],
        )
        prior = normal_score_prior(pooled.scores).tolist()
        learned = learn_forecasts(records, points, float(points[-1]))
        place_of = {pair: place for place, pair in enumerate(pairs)}
        return cls(learned, place_of, dict(zip(pooled.models, prior, strict=True)), effect_of)

    def forecast(self, pairs: Sequence[Pair], validations: Floats, sample: Sample | None) -> Forecasts:
        """The forecasts of a target's pairs from their validations so far: (pairs, points), NaN where none is."""
        prior = np.array([self.prior_of.get(model, 0.0) for model, _ in pairs])
        places = np.array([self.place_of.get(pair, -1) for pair in pairs])
        unknown = np.zeros(1 + validations.shape[1])
        effects = np.array([self.effect_of.get(recipe, unknown) for _, recipe in pairs])
        found = self.forecasts.predict(validations - effects[:, 1:], prior, places, sample)
        return replace(found, mean=found.mean + effects[:, 0])


class RacePredictions:
    """By the Gaussian of `modelstore.selection.forecast`, with what an epoch more of each arm is worth.

    All arms that the selection has trained tell of the target, those dropped before included. Nothing is predicted
    where no curves are on record.

    Parameters
    ----------
    learn
        Learns from the records when a prediction is first asked for; None where there are no curves.
    pair_of
        The model and the recipe, as its records are named, of an arm's name.
    stages
        Where the stages end.
    sample
        The target's validation rows.
    count
        How many winners there are to be.
    earlier
        The validations of an interrupted selection, those of arms that were dropped included.
    preference
        What makes one arm better than another; by default, its score alone.
    """

    def __init__(
        self,
        learn: Callable[[], RaceRecords | None],
        pair_of: Callable[[str], Pair],
        stages: StageEnds,
        sample: Sample | None = None,
        count: int = 1,
        earlier: Validations | None = None,
        preference: Preference | None = None,
    ):
        self._learn = learn
        self._pair_of = pair_of
        self._points = np.array(stages.ends)
        self._sample = sample
        self._preference = preference or Preference(ValueOfInformation(), count)
        self._seen = dict(earlier or {})

    @cached_property
    def _records(self) -> RaceRecords | None:
        return self._learn()

    def __call__(self, curves: Mapping[str, Sequence[CurvePoint]]) -> dict[str, Prediction]:
        for arm, curve in curves.items():
            self._seen[arm] = [point.validation for point in curve]
        if self._records is None:
            return {}
        seen = sorted(self._seen)
        validations = np.full((len(seen), len(self._points)), np.nan)
        for row, arm in enumerate(seen):
            validations[row, : len(self._seen[arm])] = self._seen[arm]
        racing = np.array([seen.index(arm) for arm in curves])
        pairs = list(map(self._pair_of, seen))
        forecasts = self._records.forecast(pairs, validations, self._sample).of(racing)
        reached = max(len(curve) for curve in curves.values()) - 1
        values = self._preference.values_per_epoch(list(curves), forecasts, self._points, reached)
        return {
            arm: Prediction(*one)
            for arm, *one in zip(
                curves, forecasts.mean.tolist(), forecasts.deviation.tolist(), values.tolist(), strict=True
            )
        }


def _scores(
    pairs: Sequence[Pair],
    datasets: Sequence[str],
    curves: Mapping[str, CurvesOfRecipe],
    finals: Mapping[str, Matrix],
    points: Floats,
) -> Floats:
    """The final scores and the validations at the points: (pairs, datasets, 1 + points), NaN where missing."""
    row_of = {pair: row for row, pair in enumerate(pairs)}
    column_of = {dataset: column for column, dataset in enumerate(datasets)}
    scores = np.full((len(pairs), len(datasets), 1 + len(points)), np.nan)
    for recipe, of_recipe in curves.items():
        for (model, dataset), curve in of_recipe.items():
            at = at_points(points, curve.epochs, curve.validations)
            scores[row_of[model, recipe], column_of[dataset], 1:] = at
        rows = [row for row, pair in enumerate(pairs) if pair[1] == recipe]
        known = [column for column, dataset in enumerate(datasets) if dataset in finals[recipe].datasets]
        columns = [finals[recipe].datasets.index(datasets[column]) for column in known]
        of_models = finals[recipe].rows([pairs[row][0] for row in rows])
        scores[np.ix_(rows, known, [0])] = of_models[:, columns, None]
    return scores


def _with_tests(results: Matrix, curves: CurvesOfRecipe, keep: str) -> Matrix:
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
