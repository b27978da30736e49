"""`BENCHMARK MODELS`: fine-tunes each model on each dataset, and records results and curves pair by pair.

The run of the pair under way is kept on disk after a stage, and gone on from when the same is run again: a kill costs
at most the stage under way, or what is short beside keeping it (5 seconds of training, or 10 times the writing).
"""

import math
from collections.abc import Sequence
from dataclasses import astuple
from functools import cached_property
from typing import Any

import pyarrow as pa

from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, NotFoundError
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.workers import Worker, worker_pool
from modelstore.interruption import check
from modelstore.language import nodes
from modelstore.language.options import BENCHMARK_OPTIONS, defaults
from modelstore.language.statements import BENCHMARK_MODELS
from modelstore.options import TrainingOptions
from modelstore.planner import datasets as data
from modelstore.planner.benchmark.pairs import Outcome, Pair, PairTraining
from modelstore.planner.candidates import find_candidates
from modelstore.planner.checkpoints import PairCheckpoint
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import Costs
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recipes import Recipe, training_recipe
from modelstore.planner.result_schema import schema_of
from modelstore.progress import notify, progress
from modelstore.store.catalog import Dataset

SCHEMA = schema_of(BENCHMARK_MODELS)


class Benchmark(Plan):
    """Each pair is stored as it ends, so that a stopped run is finished by running it again."""

    def __init__(
        self,
        context: StatementContext,
        models: Models,
        pairs: list[Pair],
        recipe: Recipe,
        options: dict[str, Any],
    ):
        self._context = context
        self._models = models
        self._pairs = pairs
        self._recipe = recipe
        self._options = options

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        datasets = len({pair.dataset.name for pair in self._pairs})
        return (
            f"BENCHMARK MODELS · {datasets} dataset{'s' if datasets != 1 else ''}, "
            f"recipe {self._recipe.recorded_as}, {self._recipe.options['epochs']} epochs"
        )

    def expected(self) -> Cost:
        missing = [pair for pair in self._pairs if pair.recorded is None]
        epochs = self._recipe.options["epochs"]
        costs = Costs(self._context.store.telemetry, self._recipe.name)
        models = self._models.candidates.registered
        each = [costs.epoch_of(models[pair.model], pair.dataset.name, pair.dataset) for pair in missing]
        known = [seconds for seconds in each if seconds is not None]
        at_once = self._placement.at_once
        rounds = math.ceil(len(missing) / at_once)
        seconds = sum(known) / len(known) * rounds * epochs if known else None
        done = len(self._pairs) - len(missing)
        pairs = f"{len(missing)} pairs" + (f" ({done} on record)" if done else "")
        if at_once > 1:
            pairs += f", {at_once} at once"
        return Cost(pairs, float(epochs * len(missing)), seconds)

    @cached_property
    def _placement(self) -> DevicePlan:
        """Where pairs train, as if none was on record, so that all take the same share; no run rests in memory."""
        names = list({pair.model: None for pair in self._pairs})
        device, runs = self._options["device"], len(self._pairs)
        return DevicePlan(self._context, self._recipe, device, names, runs, kept=1)

    def run(self) -> pa.Table:
        self._context.refuse_in_transaction("BENCHMARK MODELS")
        missing = [pair for pair in self._pairs if pair.recorded is None]
        if missing:
            self._recipe.define(self._context.store.recipes)
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for pair in self._pairs:
            if pair.recorded is not None:
                self._kept(pair).remove()  # where a kill came between the two
                rows[pair.names] = self._row(pair, "skipped", pair.recorded)
        if missing:
            with worker_pool(self._placement.devices) as workers:
                rows |= self._train_all(workers, missing)
        trained = [row for row in rows.values() if row["status"] == "done"]
        self.actual = Cost(
            f"{len(trained)} pairs",
            sum(row["epochs"] for row in trained),
            sum(row["seconds"] for row in trained),
        )
        return pa.Table.from_pylist([rows[pair.names] for pair in self._pairs], schema=SCHEMA)

    def _train_all(
        self, workers: Sequence[Worker], pairs: Sequence[Pair]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Each pair's row, its run stored as it ends."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        waiting, training = list(pairs), list[Pair]()
        loaded: dict[str, TaskData | DatasetError] = {}
        begun = 0

        def take(worker: Worker, another: bool) -> Job[Outcome] | None:
            check()
            if not waiting:
                return None
            pair = waiting.pop(0)
            training.append(pair)
            bar.set_postfix_str(", ".join(f"{one.model} on {one.dataset.name}" for one in training))
            if pair.dataset.name not in loaded:
                loaded.clear()
                loaded[pair.dataset.name] = self._load(pair.dataset)
            return self._job(pair, loaded[pair.dataset.name])

        def done(outcome: Outcome) -> None:
            nonlocal begun
            pair = outcome.pair
            training.remove(pair)
            rows[pair.names] = self._stored(outcome)
            self._kept(pair).remove()
            begun += self._batches(pair)
            bar.update(max(0, begun - bar.n))

        with progress(sum(map(self._batches, pairs)), "benchmark", "batch") as bar:
            run_jobs(workers, len(self._pairs), take, done, bar.update)
        return rows

    def _batches(self, pair: Pair) -> int:
        """The training batches of a pair."""
        options = self._recipe.options
        return int(options["epochs"]) * math.ceil(pair.dataset.train_rows / options["batch_size"])

    def _load(self, dataset: Dataset) -> TaskData | DatasetError:
        try:
            return data.load(self._context.store, dataset)
        except DatasetError as error:
            return error

    def _kept(self, pair: Pair) -> PairCheckpoint:
        names = (*pair.names, self._recipe.recorded_as, self._options["seed"])
        return PairCheckpoint(self._context.checkpoints, names)

    def _job(self, pair: Pair, loaded: TaskData | DatasetError) -> Job[Outcome]:
        """The training of a pair; what it needs of the store is read before, by this thread."""
        model = self._models.candidates.registered[pair.model]
        if isinstance(loaded, DatasetError):
            return lambda worker, on_batch: Outcome(pair, error=loaded)
        if model.uri is None:
            error = ModelError(f'the model "{pair.model}" has no uri, so there are no weights to train')
            return lambda worker, on_batch: Outcome(pair, error=error)
        options = training_options(self._recipe, self._options)
        rows = data.state_of(self._context.store, pair.dataset)
        return PairTraining(pair, model.uri, loaded, options, rows, self._kept(pair)).run

    def _stored(self, outcome: Outcome) -> dict[str, Any]:
        """The row of a pair, whose run, or that it failed, is on record now."""
        pair, store, seed = outcome.pair, self._context.store, self._options["seed"]
        names = (*pair.names, self._recipe.recorded_as, seed)
        if outcome.error is not None:
            # The other pairs go on; the record says why this one did not.
            store.results.add_failure(*names, str(outcome.error))
            notify(f"{pair.model} on {pair.dataset.name} failed: {outcome.error}")
            return self._row(pair, "failed")
        points = outcome.curve
        last, seconds = points[-1], sum(point.seconds for point in points)
        assert last.test is not None
        assert outcome.data is not None
        with store.transaction():
            store.curves.add(*names, [astuple(point) for point in points])
            metric, recipe = outcome.data.metric, self._recipe.recorded_as
            store.results.add(*pair.names, last.test, metric, recipe, seed, last.epoch, seconds)
            rate = last.epoch * outcome.data.train.num_rows / seconds
            store.telemetry.add(*names, outcome.device, rate, outcome.memory)
        return self._row(pair, "done", last.test, last.epoch, seconds)

    def _row(
        self,
        pair: Pair,
        status: str,
        score: float | None = None,
        epochs: float | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        return {
            "model": pair.model,
            "dataset": pair.dataset.name,
            "score": score,
            "epochs": epochs,
            "seconds": seconds,
            "status": status,
        }


def training_options(recipe: Recipe, options: dict[str, Any]) -> TrainingOptions:
    """The engine's options, from a recipe and a statement's."""
    return TrainingOptions(
        **recipe.options,
        seed=options["seed"],
        stages_per_epoch=options["stages_per_epoch"],
        device=options["device"],
    )


def bind_benchmark(context: StatementContext, statement: nodes.Extension) -> Benchmark:
    """Plans a BENCHMARK: pairs of a model and a dataset of its modality, dataset by dataset."""
    given = context.options_of(statement, BENCHMARK_OPTIONS)
    options = defaults(BENCHMARK_OPTIONS) | given
    store = context.store
    recipe = training_recipe(store.recipes, options["recipe"], given)
    recipe.check_possible()
    candidates = find_candidates(context, statement)
    names = [context.name_of(node) for node in statement.args["datasets"]] or store.catalog.dataset_names()
    if not names:
        raise NotFoundError("there are no datasets: register some with CREATE DATASET name FROM 'file'")
    datasets = [store.catalog.dataset(name) for name in dict.fromkeys(names)]
    for name in candidates.names:
        if name not in candidates.registered:
            store.catalog.model(name)
    recorded = store.results.with_seed(recipe.recorded_as, options["seed"])
    pairs = [
        Pair(name, dataset, recorded.get((name, dataset.name)))
        for dataset in datasets
        for name in candidates.names
        if candidates.registered[name].modality in (None, dataset.modality)
    ]
    if not pairs:
        raise NotFoundError(
            "no model is of a dataset's modality: text models are benchmarked on text, image models on images"
        )
    return Benchmark(context, Models(candidates), pairs, recipe, options)
