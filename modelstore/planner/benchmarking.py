"""`BENCHMARK MODELS`: fine-tunes each model on each dataset, and records results and curves pair by pair.

The run of the pair under way is kept on disk after a stage, and gone on from when the same is run again: a kill costs
at most the stage under way, or what is short beside keeping it (5 seconds of training, or 10 times the writing).
"""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelstore.engine.fingerprint import fingerprint
from modelstore.engine.memory import PeakMemory
from modelstore.engine.progress import progress, say
from modelstore.engine.task_data import TaskData
from modelstore.engine.training_options import TrainingOptions
from modelstore.errors import DatasetError, ModelError, NotFoundError, StoreError, TrainingError
from modelstore.interruption import check
from modelstore.language import expressions as ours
from modelstore.language.options import BENCHMARK_OPTIONS, defaults
from modelstore.planner import data
from modelstore.planner.candidates import find_candidates
from modelstore.planner.costs import Costs
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recipes import Recipe, training_recipe
from modelstore.planner.session import Session
from modelstore.planner.states import PairState
from modelstore.store.catalog import Dataset

if TYPE_CHECKING:
    from modelstore.engine.finetune import FineTuning

SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("score", pa.float64()),
        ("epochs", pa.float64()),
        ("seconds", pa.float64()),
        ("status", pa.string()),
    ]
)


@dataclass(frozen=True)
class Pair:
    model: str
    dataset: Dataset
    recorded: float | None  # its score, where the recipe has a run with this seed


class Benchmark(Plan):
    """Each pair is stored as it ends, so that a stopped run is finished by running it again."""

    def __init__(
        self, session: Session, models: Models, pairs: list[Pair], recipe: Recipe, options: dict[str, Any]
    ):
        self._session = session
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
        costs = Costs(self._session.store.telemetry, self._recipe.name)
        models = self._models.candidates.registered
        each = [costs.epoch_of(models[pair.model], pair.dataset.name, pair.dataset) for pair in missing]
        known = [seconds for seconds in each if seconds is not None]
        seconds = sum(known) / len(known) * len(missing) * epochs if known else None
        done = len(self._pairs) - len(missing)
        pairs = f"{len(missing)} pairs" + (f" ({done} on record)" if done else "")
        return Cost(pairs, float(epochs * len(missing)), seconds)

    def run(self) -> pa.Table:
        self._session.refuse_in_transaction("BENCHMARK MODELS")
        rows: list[dict[str, Any]] = []
        missing = [pair for pair in self._pairs if pair.recorded is None]
        if missing:
            self._recipe.define(self._session.store.recipes)
        with progress(sum(map(self._batches, missing)), "benchmark", "batch") as bar:
            begun = 0
            loaded: tuple[str, TaskData | DatasetError] | None = None
            for pair in self._pairs:
                check()
                if pair.recorded is not None:
                    self._kept(pair).remove()  # where a kill came between the two
                    rows.append(self._row(pair, "skipped", pair.recorded))
                    continue
                bar.set_postfix_str(f"{pair.model} on {pair.dataset.name}")
                if loaded is None or loaded[0] != pair.dataset.name:
                    loaded = (pair.dataset.name, self._load(pair.dataset))
                rows.append(self._run_pair(pair, loaded[1], bar.update))
                begun += self._batches(pair)
                bar.update(begun - bar.n)
        trained = [row for row in rows if row["status"] == "done"]
        self.actual = Cost(
            f"{len(trained)} pairs",
            sum(row["epochs"] for row in trained),
            sum(row["seconds"] for row in trained),
        )
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _batches(self, pair: Pair) -> int:
        """The training batches of a pair."""
        options = self._recipe.options
        return int(options["epochs"]) * math.ceil(pair.dataset.train_rows / options["batch_size"])

    def _load(self, dataset: Dataset) -> TaskData | DatasetError:
        try:
            return data.load(self._session.store, dataset)
        except DatasetError as error:
            return error

    def _run_pair(
        self, pair: Pair, loaded: TaskData | DatasetError, on_batch: Callable[..., None]
    ) -> dict[str, Any]:
        try:
            if isinstance(loaded, DatasetError):
                raise loaded
            row = self._train(pair, loaded, on_batch)
        except (ModelError, DatasetError, TrainingError) as error:
            # The other pairs go on; the record says why this one did not.
            reason = str(error)
            store = self._session.store
            store.results.add_failure(
                pair.model, pair.dataset.name, self._recipe.recorded_as, self._options["seed"], reason
            )
            say(f"{pair.model} on {pair.dataset.name} failed: {reason}")
            row = self._row(pair, "failed")
        self._kept(pair).remove()
        return row

    def _kept(self, pair: Pair) -> PairState:
        names = (pair.model, pair.dataset.name, self._recipe.recorded_as, self._options["seed"])
        return PairState(self._session.checkpoints, names)

    def _train(self, pair: Pair, task_data: TaskData, on_batch: Callable[..., None]) -> dict[str, Any]:
        from modelstore.engine.loading import pick_device

        model = self._models.candidates.registered[pair.model]
        if model.uri is None:
            raise ModelError(f'the model "{pair.model}" has no uri, so there are no weights to train')
        options = training_options(self._recipe, self._options)
        device = pick_device(options.device)
        with PeakMemory(device) as memory:
            kept = self._kept(pair)
            run = self._start(pair, model.uri, task_data, options, str(device), kept)
            try:
                on_batch(sum(run.batches_per_stage[: len(run.curve)]))
                while len(run.curve) < run.stages:
                    run.advance(test=True, on_batch=on_batch)
                    if len(run.curve) < run.stages:
                        kept.keep(run)
                points = run.curve
            finally:
                run.release()
        last = points[-1]
        seconds = sum(point.seconds for point in points)
        assert last.test is not None
        store, seed = self._session.store, self._options["seed"]
        with store.transaction():
            store.curves.add(
                pair.model,
                pair.dataset.name,
                self._recipe.recorded_as,
                seed,
                [astuple(point) for point in points],
            )
            store.results.add(
                pair.model,
                pair.dataset.name,
                last.test,
                task_data.metric,
                self._recipe.recorded_as,
                seed,
                last.epoch,
                seconds,
            )
            store.telemetry.add(
                pair.model,
                pair.dataset.name,
                self._recipe.recorded_as,
                seed,
                str(device),
                last.epoch * task_data.train.num_rows / seconds,
                memory.bytes,
            )
        return self._row(pair, "done", last.test, last.epoch, seconds)

    def _start(
        self,
        pair: Pair,
        uri: str,
        task_data: TaskData,
        options: TrainingOptions,
        device: str,
        kept: PairState,
    ) -> "FineTuning":
        """The pair's run where it was kept, or at its beginning."""
        from modelstore.engine.model_info import resolve
        from modelstore.engine.torch_executor import TorchExecutor

        path = str(resolve(uri))
        state, weights = data.state_of(self._session.store, pair.dataset), fingerprint(path, "model")
        known = state is not None and weights is not None
        file = kept.find((state, path, weights, options, device) if known else None)
        if file is not None:
            try:
                run = TorchExecutor({pair.model: path}, task_data, options, {pair.model: file}).start(
                    pair.model
                )
            except StoreError as error:
                say(f"{error}: it begins anew")
                kept.remove()
            else:
                kept.goes_on(run)
                return run
        return TorchExecutor({pair.model: path}, task_data, options).start(pair.model)

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


def bind_benchmark(session: Session, statement: ours.BenchmarkModels) -> Benchmark:
    """Plans a BENCHMARK: pairs of a model and a dataset of its modality, dataset by dataset."""
    given = session.options_of(statement, BENCHMARK_OPTIONS)
    options = defaults(BENCHMARK_OPTIONS) | given
    store = session.store
    recipe = training_recipe(store.recipes, options["recipe"], given)
    recipe.check_possible()
    candidates = find_candidates(session, statement)
    names = [session.name_of(node) for node in statement.args["datasets"]] or store.catalog.dataset_names()
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
    return Benchmark(session, Models(candidates), pairs, recipe, options)
