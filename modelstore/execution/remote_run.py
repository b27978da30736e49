"""Runs that another process trains, as this process sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.task_data import TaskData
from modelstore.execution.messages import Advance, PredictScores, RunStarted, Save, SaveState, Test
from modelstore.options import TrainingOptions
from modelstore.training.run import CurvePoint, Run, Trained

if TYPE_CHECKING:
    from modelstore.execution.client import WorkerClient


class RemoteExecutor:
    """Starts runs in another process; parameters as `TorchExecutor`."""

    def __init__(
        self,
        worker: WorkerClient,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, Path],
    ):
        self._worker = worker
        self._models = models
        self._data = data
        self._options = options
        self._checkpoints = checkpoints

    def start(self, model: str) -> Run:
        checkpoint = self._checkpoints.get(model)
        return self._worker.start_run(self._models[model], self._data, self._options, checkpoint)


class RemoteRun(Trained):
    """A `FineTuning` that is in another process.

    Parameters
    ----------
    worker
        The worker that has it.
    number
        What the worker knows it by.
    model
        The model's name.
    data
        What it is trained on.
    started
        Where it stands.
    """

    def __init__(self, worker: WorkerClient, number: int, model: str, data: TaskData, started: RunStarted):
        self.model = model
        self.data = data
        self.curve = started.curve
        self._batches_per_stage = started.batches_per_stage
        self._worker = worker
        self._number = number

    @property
    def batches_per_stage(self) -> list[int]:
        return self._batches_per_stage

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        point = self._worker.ask(Advance(self._number, test), on_batch or (lambda: None))
        self.curve.append(point)
        return point

    def test(self) -> float:
        return self._worker.ask(Test(self._number))

    def predict_scores(self, split: str) -> NDArray:
        return self._worker.ask(PredictScores(self._number, split))

    def save(self, directory: Path) -> None:
        self._worker.ask(Save(self._number, directory))

    def save_state(self, path: Path) -> None:
        self._worker.ask(SaveState(self._number, path))

    def release(self) -> None:
        self._worker.release_run(self._number)
