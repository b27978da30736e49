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

from modelstore.execution.pool import worker_pool
from modelstore.language.statements import BENCHMARK_MODELS
from modelstore.options import BenchmarkOptions
from modelstore.planner.benchmark.pairs import Pair
from modelstore.planner.benchmark.training import BenchmarkRow, BenchmarkTraining
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import EpochTimes
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.models_step import Models, competing
from modelstore.planner.plan import Cost, Plan, Step, counted
from modelstore.planner.recipes import Recipe, costliest, how_rate_is_found
from modelstore.planner.result_schema import schema_of

SCHEMA = schema_of(BENCHMARK_MODELS)


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

    def describe(self) -> str:
        datasets = len({pair.dataset.name for pair in self._pairs})
        epochs = sorted({recipe.options.epochs for recipe in self._recipes})
        several = f"{len(self._recipes)} recipes"
        recipe = f"recipe {self._recipes[0].recorded_as}" if len(self._recipes) == 1 else several
        until = counted(epochs[0], "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
        found = how_rate_is_found(self._recipes)
        return f"BENCHMARK MODELS · {counted(datasets, 'dataset')}, {recipe}, {until}{found}"

    def expected(self) -> Cost:
        at_once = self._device_plan.at_once
        pairs = counted(len(self._missing), "pair")
        recorded = len(self._pairs) - len(self._missing)
        if recorded:
            pairs += f" ({recorded} on record)"
        if at_once > 1:
            pairs += f", {at_once} at once"
        options = [pair.training_options(self._options) for pair in self._missing]
        epochs = sum(one.epochs + one.trial_epochs for one in options)
        epoch_seconds = self._mean_epoch_seconds()
        rounds = math.ceil(len(self._missing) / at_once)
        seconds = None
        if epoch_seconds is not None:
            seconds = epoch_seconds * rounds * epochs / max(1, len(self._missing))
        return Cost(pairs, float(epochs), seconds)

    def _mean_epoch_seconds(self) -> float | None:
        """The seconds that an epoch takes, the mean over the missing pairs of which it is known."""
        telemetry, registered = self._context.store.telemetry, self._models.candidates.registered
        names = {recipe.name for recipe in self._recipes}
        times = {name: EpochTimes(telemetry, name) for name in names}
        each = [
            times[pair.recipe.name].seconds_of(registered[pair.model], pair.dataset.name, pair.dataset)
            for pair in self._missing
        ]
        known = [seconds for seconds in each if seconds is not None]
        return sum(known) / len(known) if known else None

    @cached_property
    def _device_plan(self) -> DevicePlan:
        """Where pairs train, as if none was on record, so that all take the same share; no run rests in memory."""
        names = list(dict.fromkeys(pair.model for pair in self._pairs))
        runs = len(self._pairs)
        recipe = costliest(self._recipes)
        return DevicePlan(self._context, recipe, self._options.device, names, runs, in_memory=1)

    def run(self) -> pa.Table:
        self._context.refuse_in_transaction("BENCHMARK MODELS")
        training = BenchmarkTraining(self._context, self._models.candidates, self._options)
        rows: dict[tuple[str, str, str], BenchmarkRow] = {}
        for pair in self._pairs:
            if pair.recorded is not None:
                training.checkpoint_of(
                    pair
                ).remove()  # a kill may have come between the record and the removal
                rows[pair.key] = BenchmarkRow(*pair.key, pair.recorded, None, None, "skipped")
        if self._missing:
            for recipe in self._recipes:
                recipe.define(self._context.store.recipes)
            with worker_pool(self._device_plan.devices) as workers:
                rows |= training.train(workers, self._missing, share=len(self._pairs))
        done = [row for row in rows.values() if row.status == "done"]
        self.actual = Cost(
            counted(len(done), "pair"),
            sum(row.epochs or 0.0 for row in done),
            sum(row.seconds or 0.0 for row in done),
        )
        return pa.Table.from_pylist([asdict(rows[pair.key]) for pair in self._pairs], schema=SCHEMA)
