"""A process that trains for the one that started it: runs are started, advanced and saved there by request.

`helper.Helper` starts it, and is at the other end of its connection. A request is (threads, a method of `Service`,
its arguments); the answer (`DONE`, result) or (`FAILED`, exception), after (`BATCHES`, n) as they are trained.
(`RELEASE`, run) has no answer, and `STOP` interrupts what is under way. Where the other end is gone, or after it has
released all and asks for nothing for long, the process ends.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from modelstore.data.task_data import TaskData
from modelstore.interruption import stopped_by
from modelstore.options import TrainingOptions
from modelstore.records import CurvePoint
from modelstore.training.memory import PeakMemory

READY, DONE, FAILED, BATCHES = "ready", "done", "failed", "batches"  # what it says
STOP, RELEASE = "stop", "release"  # what it is told, beside requests
IDLE_SECONDS = 300.0  # without a request since all was released, after which the process ends
TELL_SECONDS = 0.1  # between two words of progress


class WorkerServer:
    """What can be asked for: each public method, by its name."""

    def __init__(self, tell_batches: Callable[[int], None]):
        self._tell_batches = tell_batches
        self._runs: dict[int, Any] = {}
        self._data: TaskData | None = None
        self._memory: PeakMemory | None = None

    def prepare(self, folder: str, environment: dict[str, str], data: TaskData) -> None:
        """What is started next is trained on this data; paths and settings are those of the other process."""
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        self._data = data

    def start(
        self, number: int, model: str, path: str, options: TrainingOptions, state: Path | None
    ) -> tuple[list[CurvePoint], list[int]]:
        """A run's curve so far, and the batches of its stages."""
        from modelstore.execution.torch_executor import TorchExecutor

        assert self._data is not None
        states = {} if state is None else {model: state}
        run = TorchExecutor({model: path}, self._data, options, states).start(model)
        self._runs[number] = run
        return run.curve, run.batches_per_stage

    def advance(self, number: int, test: bool) -> CurvePoint:
        count, told = 0, time.monotonic()

        def on_batch() -> None:
            nonlocal count, told
            count += 1
            if time.monotonic() - told >= TELL_SECONDS:
                self._tell_batches(count)
                count, told = 0, time.monotonic()

        point: CurvePoint = self._runs[number].advance(test, on_batch)
        self._tell_batches(count)
        return point

    def call(self, number: int, method: str, *arguments: Any) -> Any:
        """What a method of a run gives."""
        return getattr(self._runs[number], method)(*arguments)

    def watch_memory(self, device: str) -> None:
        """Begins to note the most memory in use."""
        from modelstore.training.hardware import pick_device

        if self._memory is not None:  # of a run that failed
            self.peak_memory()
        self._memory = PeakMemory(pick_device(device)).__enter__()

    def peak_memory(self) -> int | None:
        """The most memory in use since `watch_memory`, in bytes."""
        assert self._memory is not None
        memory, self._memory = self._memory, None
        memory.__exit__(None, None, None)
        return memory.bytes

    def release(self, number: int | None) -> None:
        """Frees a run; with None, all there is."""
        for run in [self._runs.pop(n) for n in list(self._runs) if number in (n, None)]:
            run.release()
        if number is None:
            self._data = None
            if self._memory is not None:
                self.peak_memory()


def main(connection: Connection) -> None:
    """Does what is asked until nothing is asked any more."""

    requests: SimpleQueue[Any] = SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_receive, args=(connection, requests, stop), daemon=True).start()
    service = WorkerServer(lambda count: connection.send((BATCHES, count)))
    connection.send(READY)
    patience = None
    while True:
        try:
            first, *rest = requests.get(timeout=patience)
        except Empty:
            return
        patience = IDLE_SECONDS if (first, *rest) == (RELEASE, None) else None
        if first == RELEASE:
            service.release(*rest)
            continue
        with stopped_by(stop):
            answer = _answer(service, first, *rest)
        connection.send_bytes(_pickled(answer))


def _receive(connection: Connection, requests: SimpleQueue[Any], stop: threading.Event) -> None:
    """Passes requests on, while one is under way too: a stop is for that one."""
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # nobody is there to train for
        if message == STOP:
            stop.set()
            continue
        if message[0] != RELEASE:
            stop.clear()
        requests.put(message)


def _answer(service: WorkerServer, threads: int, method: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    import torch

    torch.set_num_threads(threads)
    try:
        return DONE, getattr(service, method)(*arguments)
    except Exception as error:
        return FAILED, error


def _pickled(answer: tuple[str, Any]) -> bytes:
    """An error is perhaps of a class that cannot be sent, or does not come back from it: its words do."""
    try:
        pickled = pickle.dumps(answer)
        if answer[0] == FAILED:
            pickle.loads(pickled)
        return pickled
    except Exception:
        if answer[0] != FAILED:
            raise
        return pickle.dumps((FAILED, RuntimeError(f"{type(answer[1]).__name__}: {answer[1]}")))
