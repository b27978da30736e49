"""A pair of a benchmark: a model's whole run on a dataset, by whichever worker, kept on disk between its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from modelstore.data.fingerprint import fingerprint
from modelstore.data.model_info import resolve
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, StoreError, TrainingError
from modelstore.execution.client import WorkerLost
from modelstore.execution.jobs import OnBatch
from modelstore.execution.workers import Worker
from modelstore.options import TrainingOptions
from modelstore.planner.checkpoints import PairCheckpoint
from modelstore.progress import notify
from modelstore.records import CurvePoint
from modelstore.store.catalog import Dataset
from modelstore.training.run import Trained


@dataclass(frozen=True)
class Pair:
    model: str
    dataset: Dataset
    recorded: float | None  # its score, where the recipe has a run with this seed

    @property
    def names(self) -> tuple[str, str]:
        """The model's and the dataset's."""
        return self.model, self.dataset.name


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: its curve, with tests, and what that took; or the error that it failed with."""

    pair: Pair
    data: TaskData | None = None
    curve: Sequence[CurvePoint] = ()
    device: str = ""
    memory: int | None = None  # bytes
    error: Exception | None = None


class PairTraining:
    """The training of a pair, on from where it was ``kept``.

    ``rows`` stands for the dataset's rows as they are now; None where that cannot be told, and nothing is kept.
    """

    def __init__(
        self,
        pair: Pair,
        uri: str,
        data: TaskData,
        options: TrainingOptions,
        rows: str | None,
        kept: PairCheckpoint,
    ):
        self._pair = pair
        self._uri = uri
        self._data = data
        self._options = options
        self._rows = rows
        self._kept = kept

    def run(self, worker: Worker, on_batch: OnBatch) -> Outcome:
        """To the end. Raises ``HelperLost`` where the worker is gone: it can be run again."""
        try:
            with worker.peak_memory() as memory:
                curve = self._train(worker, on_batch)
            return Outcome(self._pair, self._data, curve, worker.device, memory.bytes)
        except WorkerLost:
            raise
        except (ModelError, DatasetError, TrainingError) as error:
            return Outcome(self._pair, error=error)

    def _train(self, worker: Worker, on_batch: OnBatch) -> list[CurvePoint]:
        run = self._start(worker)
        try:
            on_batch(sum(run.batches_per_stage[: len(run.curve)]))
            stages = len(run.batches_per_stage)
            while len(run.curve) < stages:
                run.advance(test=True, on_batch=on_batch)
                if len(run.curve) < stages:
                    self._kept.keep(run)
            return run.curve
        finally:
            run.release()

    def _start(self, worker: Worker) -> Trained:
        """The pair's run where it was kept, or at its beginning."""
        path = str(resolve(self._uri))
        weights = fingerprint(path, "model")
        identity = None
        if self._rows is not None and weights is not None:
            kind = worker.device.partition(":")[0]  # whichever GPU
            identity = (self._rows, path, weights, self._options, kind)
        file = self._kept.find(identity)
        if file is not None:
            try:
                run = self._started(worker, path, {self._pair.model: file})
            except StoreError as error:
                notify(f"{error}: it begins anew")
                self._kept.remove()
            else:
                self._kept.goes_on(run)
                return run
        return self._started(worker, path, {})

    def _started(self, worker: Worker, path: str, states: Mapping[str, Path]) -> Trained:
        model = self._pair.model
        run = worker.executor({model: path}, self._data, self._options, states).start(model)
        return cast(Trained, run)
