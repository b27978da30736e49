"""A pair of a benchmark, a model and a dataset: what is on record, its training, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from modelstore.data.fingerprint import fingerprint
from modelstore.data.hub import ModelRef, resolve_model
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.errors import INTERRUPTIONS, StoreError
from modelstore.execution.jobs import OnBatch
from modelstore.execution.worker import Worker, WorkerLost
from modelstore.options import TrainingOptions
from modelstore.planner.benchmark.checkpoint import PairCheckpoint
from modelstore.planner.recipes import Recipe
from modelstore.progress import notify
from modelstore.records import CurvePoint
from modelstore.selection.stage_plan import recording_epochs
from modelstore.store.registered import Dataset
from modelstore.training.run import TrainingRun


@dataclass(frozen=True)
class Pair:
    """A model to train on a dataset by a recipe; ``recorded`` is its score where it is on record already."""

    model: str
    dataset: Dataset
    recipe: Recipe
    recorded: float | None

    @property
    def key(self) -> tuple[str, str, str]:
        """The names of the model, the dataset and the recipe."""
        return self.model, self.dataset.name, self.recipe.recorded_as

    def training_options(self, statement: TrainingOptions) -> TrainingOptions:
        """How the pair is trained: its curve serves any strategy, unless the statement says where stages end."""
        options = self.recipe.training_options(statement)
        if options.stages is not None or options.stages_per_epoch is not None:
            return options
        ends = recording_epochs(self.dataset.train_rows, options.epochs, options.rows_per_step)
        return replace(options, stages=tuple(ends.tolist()))


@dataclass(frozen=True)
class TrainedPair:
    """A pair that trained to its end.

    Parameters
    ----------
    pair
        The pair.
    metric
        The metric of the dataset.
    train_rows
        The rows that an epoch trained on.
    curve
        A point a stage, each with a validation and a test score.
    device
        Where it trained.
    memory
        The most bytes that it took; None: unknown.
    """

    pair: Pair
    metric: str
    train_rows: int
    curve: Sequence[CurvePoint]
    device: str
    memory: int | None


@dataclass(frozen=True)
class FailedPair:
    """A pair that failed, and the error."""

    pair: Pair
    error: BaseException


PairOutcome = TrainedPair | FailedPair


class PairTraining:
    """The training of a pair by a worker, from its checkpoint where there is one.

    Parameters
    ----------
    pair
        The pair.
    uri
        Where the model's weights are.
    data
        The dataset's rows.
    options
        How the model is trained.
    rows
        A fingerprint of the dataset's rows; None where it is unknown, and then nothing is saved.
    checkpoint
        Where the run is saved between stages.
    """

    def __init__(
        self,
        pair: Pair,
        uri: str,
        data: TaskData,
        options: TrainingOptions,
        rows: str | None,
        checkpoint: PairCheckpoint,
    ):
        self._pair = pair
        self._uri = uri
        self._data = data
        self._options = options
        self._rows = rows
        self._checkpoint = checkpoint

    def run(self, worker: Worker, on_batch: OnBatch) -> PairOutcome:
        """Trains the pair to its end. Whatever fails but an interruption fails this pair alone.

        Raises
        ------
        WorkerLost
            Where the worker is gone; another one can run the same training.
        """
        try:
            with worker.peak_memory() as memory:
                curve = self._train(worker, on_batch)
        except (*INTERRUPTIONS, WorkerLost):
            raise
        except BaseException as error:  # libraries in native code raise what is no Exception
            return FailedPair(self._pair, error)
        data = self._data
        return TrainedPair(self._pair, data.metric, data.train.num_rows, curve, worker.device, memory.bytes)

    def _train(self, worker: Worker, on_batch: OnBatch) -> list[CurvePoint]:
        run = self._start(worker)
        try:
            on_batch(sum(run.batches_per_stage[: len(run.curve)]))
            stages = len(run.batches_per_stage)
            while len(run.curve) < stages:
                run.advance(test=True, on_batch=on_batch)
                if len(run.curve) < stages:
                    self._checkpoint.save(run)
            return run.curve
        finally:
            run.release()

    def _start(self, worker: Worker) -> TrainingRun:
        """The pair's run at its last saved stage, or at its beginning."""
        model = resolve_model(self._pair.model, self._uri)
        self._checkpoint.identify(self._identity(worker, str(model.path)))
        file = self._checkpoint.saved_run()
        if file is not None:
            try:
                run = self._start_from(worker, model, {model.name: file})
            except StoreError as error:
                notify(f"{error}: it starts again from the beginning")
            else:
                self._checkpoint.mark_saved(run)
                return run
        self._checkpoint.remove()  # also a run of another identity
        return self._start_from(worker, model, {})

    def _identity(self, worker: Worker, path: str) -> tuple[object, ...] | None:
        """All that the run depends on; None where some of it is unknown."""
        weights = fingerprint(path, "model")
        if self._rows is None or weights is None:
            return None
        kind = worker.device.partition(":")[0]  # all GPUs count as equal
        return self._rows, path, weights, self._options, kind

    def _start_from(self, worker: Worker, model: ModelRef, checkpoints: Mapping[str, AnyPath]) -> TrainingRun:
        executor = worker.executor({model.name: model}, self._data, self._options, checkpoints)
        return executor.start(model.name)
