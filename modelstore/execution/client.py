"""A worker that is another process, as this process sees it: `WorkerServer` is its other end."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath, on_disk
from modelstore.data.task_data import TaskData
from modelstore.data.whole_files import whole_directory, whole_file
from modelstore.execution.messages import (
    Advance,
    Ask,
    BatchesDone,
    Done,
    EmbedTexts,
    ExtractFeatures,
    Failed,
    MeasureCost,
    PredictScores,
    Prepare,
    Ready,
    ReleaseAll,
    ReleaseRun,
    ReportMemory,
    Request,
    Result,
    RunStarted,
    Save,
    SaveState,
    StartRun,
    Stop,
    Test,
    WatchMemory,
)
from modelstore.execution.transport import Transport
from modelstore.execution.worker import WorkerLost
from modelstore.interruption import PATIENCE, check, ended_by, is_urgent
from modelstore.options import RecallOptions, TrainingOptions
from modelstore.records import CurvePoint, InferenceCost
from modelstore.training.run import Executor, TrainingRun

if TYPE_CHECKING:
    from modelstore.training.features import Features

POLL_SECONDS = 0.05  # between two looks whether the statement has been interrupted


class WorkerClient:
    """A worker that is another process.

    Parameters
    ----------
    device
        Where it trains.
    transport
        What carries messages to it and back.
    """

    def __init__(self, device: str, transport: Transport):
        self.device = device
        self.threads = 1
        self.transport = transport
        self._ready = False
        self._prepared: TaskData | None = None
        self._memory: _PeakMemory | None = None
        self._numbers = itertools.count()

    @property
    def alive(self) -> bool:
        return self.transport.alive

    @property
    def ready(self) -> bool:
        return self.wait_until_ready(timeout=0)

    def wait_until_ready(self, timeout: float) -> bool:
        """Waits at most ``timeout`` seconds until the other process has started; whether it has."""
        if not self._ready and self.transport.alive:
            with suppress(WorkerLost):
                self._ready = isinstance(self.transport.receive(timeout), Ready)
        return self._ready and self.transport.alive

    def executor(
        self,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ) -> Executor:
        return RemoteExecutor(self, models, data, replace(options, device=self.device), checkpoints)

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        before, self.threads = self.threads, threads
        try:
            yield
        finally:
            self.threads = before

    @contextmanager
    def peak_memory(self) -> Iterator[_PeakMemory]:
        """Measured from the first run that is started in the block."""
        memory = self._memory = _PeakMemory()
        try:
            yield memory
            if memory.watched:
                with suppress(WorkerLost):
                    memory.bytes = self.ask(ReportMemory())
        finally:
            self._memory = None

    def start_run(
        self, model: ModelRef, data: TaskData, options: TrainingOptions, checkpoint: AnyPath | None
    ) -> RemoteRun:
        """Starts a run in the other process, or goes on with the one in the file ``checkpoint``."""
        if self._memory is not None and not self._memory.watched:
            self.ask(WatchMemory(self.device))
            self._memory.watched = True
        self._prepare(data)
        number = next(self._numbers)
        with nullcontext() if checkpoint is None else self._within_reach(checkpoint, on_disk) as file:
            started = self.ask(StartRun(number, model, options, file))
        return RemoteRun(self, number, model.name, data, started)

    def ask(self, request: Request[Result], on_batch: Callable[[], None] = lambda: None) -> Result:
        """Has a request carried out and waits for its result; what ends the wait stops the request too.

        Parameters
        ----------
        request
            What to do.
        on_batch
            Called for each training batch.

        Raises
        ------
        WorkerLost
            If the other process is gone.
        Exception
            What carrying out the request raised there, or ``on_batch`` here.
        duckdb.InterruptException
            If the statement is interrupted meanwhile.
        """
        try:
            with ended_by(self.transport.kill):
                self.transport.send(Ask(request, self.threads))
                try:
                    answer = self._wait(check, on_batch)
                except (WorkerLost, KeyboardInterrupt):
                    raise
                except BaseException:
                    self._stop()
                    raise
        except KeyboardInterrupt:  # it may have come in the midst of a message: nothing can be read after it
            self.transport.close()
            raise
        if isinstance(answer, Failed):
            raise answer.error
        result: Result = answer.result
        return result

    def save(self, number: int, directory: AnyPath) -> None:
        """Has a run's model written to a new directory."""
        with self._within_reach(directory, whole_directory) as place:
            self.ask(Save(number, place))

    def save_state(self, number: int, path: AnyPath) -> None:
        """Has a checkpoint of a run written to a file."""
        with self._within_reach(path, whole_file) as place:
            self.ask(SaveState(number, place))

    def features(
        self, model: ModelRef, data: TaskData, options: RecallOptions, on_batch: Callable[[], None]
    ) -> Features:
        self._prepare(data)
        found: Features = self.ask(ExtractFeatures(model, replace(options, device=self.device)), on_batch)
        return found

    def embed_texts(self, model: ModelRef, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.ask(EmbedTexts(model, texts, self.device))

    def inference_cost(self, model: ModelRef, modality: str, max_length: int) -> InferenceCost:
        return self.ask(MeasureCost(model, modality, max_length, self.device))

    def release_run(self, number: int) -> None:
        """Frees a run, after the request that is being carried out; it does not wait for that."""
        with suppress(WorkerLost):
            self.transport.send(ReleaseRun(number))

    def release_all(self) -> None:
        """Frees everything, after the request that is being carried out; it does not wait for that."""
        self._prepared = None
        with suppress(WorkerLost):
            self.transport.send(ReleaseAll())

    def close(self) -> None:
        """Ends the other process."""
        self.transport.close()

    @contextmanager
    def _within_reach(
        self, path: AnyPath, through: Callable[[AnyPath], AbstractContextManager[Path]]
    ) -> Iterator[AnyPath]:
        """A block with ``path`` where the other process reaches it, or else with what stands for it on this disk."""
        if self.transport.reaches(path.parent):
            yield path
        else:
            with through(path) as stands_for_it:
                yield stands_for_it

    def _prepare(self, data: TaskData) -> None:
        if self._prepared is not data:  # a dataset is sent once
            self.ask(Prepare(os.getcwd(), dict(os.environ), data))
            self._prepared = data

    def _wait(self, meanwhile: Callable[[], None], on_batch: Callable[[], None]) -> Done | Failed:
        """The answer to a request; ``meanwhile`` is called between two looks for it."""
        while True:
            answer = self.transport.receive(POLL_SECONDS)
            if isinstance(answer, Done | Failed):
                return answer
            if isinstance(answer, Ready):  # it was asked before anybody looked whether it had started
                self._ready = True
            elif isinstance(answer, BatchesDone):
                for _ in range(answer.count):
                    on_batch()
            else:
                meanwhile()

    def _stop(self) -> None:
        """Interrupts the request that is being carried out and drops its answer.

        A process that does not answer is ended where that is urgent.
        """
        since = time.monotonic()

        def give_up() -> None:
            if is_urgent() and time.monotonic() - since > PATIENCE:
                raise WorkerLost("the process that was training did not stop when it was asked to")

        try:
            self.transport.send(Stop())
            self._wait(give_up, lambda: None)
        except BaseException:
            self.transport.close()
            raise


@dataclass
class _PeakMemory:
    """The most memory in use; ``watched`` once the other process measures it."""

    bytes: int | None = None
    watched: bool = False


class RemoteExecutor:
    """Starts runs in another process; parameters as `TorchExecutor`."""

    def __init__(
        self,
        worker: WorkerClient,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ):
        self._worker = worker
        self._models = models
        self._data = data
        self._options = options
        self._checkpoints = checkpoints

    def start(self, model: str) -> TrainingRun:
        checkpoint = self._checkpoints.get(model)
        return self._worker.start_run(self._models[model], self._data, self._options, checkpoint)


class RemoteRun(TrainingRun):
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

    def save(self, directory: AnyPath) -> None:
        self._worker.save(self._number, directory)

    def save_state(self, path: AnyPath) -> None:
        self._worker.save_state(self._number, path)

    def release(self) -> None:
        self._worker.release_run(self._number)
