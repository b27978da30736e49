"""The plan of `EVALUATE MODELS`: models predict a split, and their answers are scored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pyarrow as pa

from modelstore.language.statements import EVALUATE_MODELS
from modelstore.options import EvaluateOptions, RecipeOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import load_dataset
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.device_speed import speed_of
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.plan import Cost, Plan, Step, counted
from modelstore.planner.recipes import training_recipe
from modelstore.planner.result_schema import schema_of
from modelstore.planner.training_times import TrainingTimes
from modelstore.progress import notify
from modelstore.sql_text import folded
from modelstore.store.registered import Dataset, Model

SCHEMA = schema_of(EVALUATE_MODELS)
# What the rows of a split are to a model that was fine-tuned on their dataset.
_SEEN = {
    "train": "train rows it has learnt from",
    "validation": "validation rows decided how long it trained",
}


class PredictionStep(Step):
    """The forward passes of the models over the rows of a split."""

    def __init__(
        self, context: StatementContext, models: Sequence[str], dataset: Dataset, options: EvaluateOptions
    ):
        self._context = context
        self._models = list(models)
        self._dataset = dataset
        self._options = options

    @property
    def rows(self) -> int:
        """How many rows the split has."""
        dataset = self._dataset
        rows = {"train": dataset.train_rows, "validation": dataset.validation_rows, "test": dataset.test_rows}
        return rows[self._options.split]

    def describe(self) -> str:
        return f"predictions · {self._options.split} split of {self._dataset.name}"

    def expected(self) -> Cost:
        recipe = training_recipe(self._context.store.recipes, "default", {})
        device = DevicePlan(self._context, recipe, self._options.device, self._models, runs=1, in_memory=1)
        times = TrainingTimes(
            self._context.store, recipe.name, RecipeOptions(), self._dataset, speed_of(device)
        )
        seconds, probed = times.scoring(self._models, self._dataset, self.rows)
        return Cost(self._amount(), seconds=seconds, probed=probed)

    def done(self, seconds: float) -> None:
        """Notes what it did cost."""
        self.actual = Cost(self._amount(), seconds=seconds)

    def _amount(self) -> str:
        return f"{counted(len(self._models), 'model')}, {counted(self.rows, 'row')} each"


class EvaluatePlan(Plan):
    """Evaluates models on a split of a dataset; nothing is trained or stored.

    Parameters
    ----------
    context
        The statement's context.
    models
        The models, each once.
    dataset
        The dataset.
    options
        The split, how it is resampled, and where models run.
    """

    schema = SCHEMA

    def __init__(
        self, context: StatementContext, models: Sequence[Model], dataset: Dataset, options: EvaluateOptions
    ):
        self._context = context
        self._models = models
        self._dataset = dataset
        self._options = options
        self._predictions = PredictionStep(context, self.model_names, dataset, options)
        self.datasets = [dataset]

    @property
    def model_names(self) -> list[str]:
        """The models that are evaluated."""
        return [model.name for model in self._models]

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._predictions,)

    @property
    def computes(self) -> bool:
        return True

    def describe(self) -> str:
        names = ", ".join(self.model_names)
        confidence = f"{100 * self._options.confidence:g} %"
        return f"EVALUATE MODELS {names} ON {self._dataset.name} · intervals of {confidence}"

    def expected(self) -> Cost:
        return Cost(counted(self._options.samples, "resample"))

    def likely_models(self) -> list[str]:
        return self.model_names

    def run(self) -> pa.Table:
        from modelstore.planner.evaluate.predictions import predict_split  # here, as it loads torch
        from modelstore.planner.evaluate.report import report

        data = load_dataset(self._context.store, self._dataset)
        began = time.perf_counter()
        answers = predict_split(
            self._context.store, self._models, data, self._options.split, self._options.device
        )
        self._predictions.done(time.perf_counter() - began)
        self._notify_of_seen_rows()
        self._notify_of_no_mistakes(answers)
        began = time.perf_counter()
        rows = report(data, answers, self._options)
        self.actual = Cost(counted(self._options.samples, "resample"), seconds=time.perf_counter() - began)
        columns = list(zip(*rows, strict=True))
        # What is not defined, NaN, is NULL in SQL.
        arrays = [
            pa.array(column, field.type, from_pandas=True)
            for column, field in zip(columns, SCHEMA, strict=True)
        ]
        return pa.table(arrays, SCHEMA)

    @property
    def _seen(self) -> list[str]:
        """The models that know the rows already."""
        name = folded(self._dataset.name)
        if self._options.split not in _SEEN:
            return []
        return [model.name for model in self._models if name in map(folded, model.fine_tuned_on)]

    def _notify_of_seen_rows(self) -> None:
        if self._seen:
            notify(
                f"{', '.join(self._seen)}: fine-tuned on {self._dataset.name}, whose {_SEEN[self._options.split]}, "
                "so these scores promise too much for new rows"
            )

    def _notify_of_no_mistakes(self, answers: Mapping[str, Answers]) -> None:
        """Says how little it means that a model makes no mistake: no resample of its rows has one either."""
        for model, one in answers.items():
            if one.has_mistake or model in self._seen:
                continue
            most = 1 - (1 - self._options.confidence) ** (1 / one.rows)  # the rule of three, exactly
            notify(
                f"{model} makes no mistake in {counted(one.rows, 'row')}, so its intervals have no width: it may "
                f"still be mistaken in up to {100 * most:.2g} % of new rows"
            )
