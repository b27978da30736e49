"""The plan of `BENCHMARK MODELS`: what it is expected to cost, and its run.

The run of the pair under way is saved on disk between its stages: the same statement run again goes on from there. A
kill repeats at most the current stage, or what is short beside saving it (5 seconds of training, or 10 times the
writing).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import pyarrow as pa

from modelstore.interruption import saying_how_to_go_on
from modelstore.language.statements import BENCHMARK_MODELS
from modelstore.options import BenchmarkOptions
from modelstore.planner.benchmark.pairs import Pair
from modelstore.planner.benchmark.training import BenchmarkRow, BenchmarkTraining
from modelstore.planner.cluster_plan import Placement, placed
from modelstore.planner.context import StatementContext
from modelstore.planner.device_speed import speed_of
from modelstore.planner.models_step import Models, competing
from modelstore.planner.plan import Cost, Plan, Step, counted
from modelstore.planner.recipes import Recipe, costliest, training_details
from modelstore.planner.result_schema import schema_of
from modelstore.planner.training_times import TrainingTimes
from modelstore.planner.unusable_scores import notify_of_unusable
from modelstore.store.registered import Dataset

SCHEMA = schema_of(BENCHMARK_MODELS)
GO_ON = "the pairs that are done are on record; the same statement run again goes on from there"
SAMPLED = 500  # pairs whose mean stands for that of more


class BenchmarkPlan(Plan):
    """Trains each pair that is not on record; each is recorded as it ends, so that a stopped run can be run again."""

    schema = SCHEMA

    def __init__(
        self,
        context: StatementContext,
        models: Models,
        pairs: list[Pair],
        recipes: Sequence[Recipe],
        options: BenchmarkOptions,
    ):
        self._context = context
        self._models = models
        self._pairs = pairs
        self._missing = [pair for pair in pairs if pair.recorded is None]
        self._recipes = recipes
        self._options = options

    @property
    def inputs(self) -> tuple[Step, ...]:
        return competing(self._models, [recipe.recorded_as for recipe in self._recipes])

    @property
    def model_names(self) -> list[str]:
        """The models that are to be trained."""
        return list(dict.fromkeys(pair.model for pair in self._missing))

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets that they are to be trained on."""
        return list({pair.dataset.name: pair.dataset for pair in self._missing}.values())

    @property
    def computes(self) -> bool:
        return bool(self._missing)

    @property
    def commits(self) -> bool:
        return True

    def describe(self) -> str:
        datasets = len({pair.dataset.name for pair in self._pairs})
        epochs = sorted({recipe.options.epochs for recipe in self._recipes})
        several = f"{len(self._recipes)} recipes"
        recipe = f"recipe {self._recipes[0].recorded_as}" if len(self._recipes) == 1 else several
        until = counted(epochs[0], "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
        details = training_details(self._recipes)
        return f"BENCHMARK MODELS · {counted(datasets, 'dataset')}, {recipe}, {until}{details}{self._placement.where}"

    def expected(self) -> Cost:
        at_once = self._placement.at_once
        pairs = counted(len(self._missing), "pair")
        recorded = len(self._pairs) - len(self._missing)
        if recorded:
            pairs += f" ({recorded} on record)"
        if at_once > 1:
            pairs += f", {at_once} at once"
        options = [pair.training_options(self._options) for pair in self._missing]
        epochs = sum(one.epochs + one.trial_epochs for one in options)
        each, probed = self._mean_seconds()
        rounds = math.ceil(len(self._missing) / at_once)
        return Cost(pairs, float(epochs), None if each is None else each * rounds, probed=probed)

    def _mean_seconds(self) -> tuple[float | None, bool]:
        """The seconds that a missing pair takes, the mean over those that are known; and whether by a probe."""
        registered = self._models.candidates.registered
        few = self._missing[:: max(1, len(self._missing) // SAMPLED)]
        known, probed = [], False
        for recipe in dict.fromkeys(pair.recipe for pair in few):
            of_recipe = [pair for pair in few if pair.recipe == recipe]
            times = TrainingTimes(
                self._context.store,
                recipe.name,
                recipe.options,
                of_recipe[0].dataset,
                speed_of(self._placement),
            )
            times.prepare([registered[name] for name in dict.fromkeys(pair.model for pair in of_recipe)])
            for pair in of_recipe:
                one = times.of(pair.model, registered[pair.model], pair.dataset.name, pair.dataset)
                options = pair.training_options(self._options)
                if one is not None:
                    known.append(one.whole(options.epochs + options.trial_epochs, len(options.stage_ends())))
            probed |= times.is_measured
        return (sum(known) / len(known), probed) if known else (None, False)

    @cached_property
    def _placement(self) -> Placement:
        """Where pairs train, as if none was on record, so that all take the same share; no run rests in memory."""
        names = list(dict.fromkeys(pair.model for pair in self._pairs))
        runs = len(self._pairs)
        recipe = costliest(self._recipes)
        return placed(self._context, recipe, self._options, names, runs, in_memory=1)

    def run(self) -> pa.Table:
        if self._missing:
            self._context.refuse_read_only("BENCHMARK MODELS")
        training = BenchmarkTraining(self._context, self._models.candidates, self._options)
        rows: dict[tuple[str, str, str], BenchmarkRow] = {}
        for pair in self._pairs:
            if pair.recorded is not None:
                training.checkpoint_of(
                    pair
                ).remove()  # a kill may have come between the record and the removal
                rows[pair.key] = BenchmarkRow(*pair.key, pair.recorded, None, None, "skipped")
        notify_of_unusable(self._context.store, [recipe.recorded_as for recipe in self._recipes])
        if self._missing:
            for recipe in self._recipes:
                recipe.define(self._context.store.recipes)
            with saying_how_to_go_on(GO_ON), self._placement.workers(len(self._pairs)) as workers:
                rows |= training.train(workers, self._missing, share=len(self._pairs))
        done = [row for row in rows.values() if row.status == "done"]
        self.actual = Cost(
            counted(len(done), "pair"),
            sum(row.epochs or 0.0 for row in done),
            sum(row.seconds or 0.0 for row in done),
        )
        return pa.Table.from_pylist([asdict(rows[pair.key]) for pair in self._pairs], schema=SCHEMA)
