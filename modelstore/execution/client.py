"""A process beside this one that trains, as this one sees it: `helper_process` is its other end."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

import duckdb
from numpy.typing import NDArray

from modelstore.data.model_info import resolve
from modelstore.data.task_data import TaskData
from modelstore.execution.server import BATCHES, FAILED, READY, RELEASE, STOP
from modelstore.interruption import check
from modelstore.options import TrainingOptions
from modelstore.records import CurvePoint
from modelstore.training.run import Executor, Trained

POLL_SECONDS = 0.05  # between two looks whether the statement shall stop


class WorkerLost(duckdb.OperationalError):
    """A helper's process has ended; what it had in memory is gone."""


class WorkerClient:
    """Another process of this machine, that carries out `helper_process.Service`, with so many ``threads``."""

    def __init__(self, device: str):
        """Starts it, which is not waited for. Raises ``OSError`` where it cannot be started."""
        self.device = device
        self.threads = 1
        self._ready = False
        self._lost = False
        self._data: TaskData | None = None
        self._memory: _Memory | None = None
        self._numbers = itertools.count()
        self._sending = threading.Lock()
        self._connection, theirs = Pipe()
        found_in = [path for path in sys.path if isinstance(path, str)]
        code = (
            f"import sys; sys.path[:] = {found_in!r}; from multiprocessing.connection import Connection; "
            f"from modelstore.execution.server import main; main(Connection({theirs.fileno()}))"
        )
        # In a session of its own, a Ctrl-C at the terminal is not for it.
        self._process = subprocess.Popen(
            [get_executable(), "-c", code],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    @property
    def alive(self) -> bool:
        return not self._lost and self._process.poll() is None

    @property
    def ready(self) -> bool:
        try:
            if not self._ready and not self._lost and self._connection.poll():
                self._ready = self._connection.recv() == READY
        except (EOFError, OSError):
            self._lost = True
        return self._ready and not self._lost

    def executor(
        self, uris: Mapping[str, str], data: TaskData, options: TrainingOptions, states: Mapping[str, Path]
    ) -> Executor:
        return RemoteExecutor(self, uris, data, replace(options, device=self.device), states)

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        before, self.threads = self.threads, threads
        try:
            yield
        finally:
            self.threads = before

    @contextmanager
    def peak_memory(self) -> Iterator[_Memory]:
        """Noted from the first run on that is started in the block."""
        noted = self._memory = _Memory()
        try:
            yield noted
            if noted.watched:
                with suppress(WorkerLost):
                    noted.bytes = self.ask("peak_memory")
        finally:
            self._memory = None

    def start(
        self, model: str, path: Path, data: TaskData, options: TrainingOptions, state: Path | None
    ) -> Trained:
        if self._memory is not None and not self._memory.watched:
            self.ask("watch_memory", self.device)
            self._memory.watched = True
        if self._data is not data:  # they are sent once
            self.ask("prepare", os.getcwd(), dict(os.environ), data)
            self._data = data
        number = next(self._numbers)
        curve, batches = self.ask("start", number, model, str(path), options, state)
        return RemoteRun(self, number, model, data, curve, batches)

    def ask(self, method: str, *arguments: Any, on_batch: Callable[[], None] = lambda: None) -> Any:
        """What a method of `helper_process.Service` gives. What ends the wait for that, ends the work.

        Raises what the method raises, and ``HelperLost`` where the process is gone.
        """
        try:
            self._send((self.threads, method, arguments))
            try:
                kind, value = self._answer(check, on_batch)
            except (EOFError, OSError, KeyboardInterrupt):
                raise
            except BaseException:
                self._stop()
                raise
        except KeyboardInterrupt:  # it may have come anywhere: what is still to be read cannot be told
            self.close()
            raise
        except (EOFError, OSError) as error:
            self._lost = True
            raise WorkerLost(
                f"the process that was training ended{self._how()}; the machine may be short of memory"
            ) from error
        if kind == FAILED:
            raise value
        return value

    def release(self, number: int | None = None) -> None:
        """Frees a run, or all there is; what is under way comes first, and is not waited for."""
        if number is None:
            self._data = None
        with suppress(OSError):
            self._send((RELEASE, number))

    def close(self) -> None:
        """Ends the process."""
        self._lost = True
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: Any) -> None:
        with self._sending:
            self._connection.send(message)

    def _answer(self, between: Callable[[], None], on_batch: Callable[[], None]) -> tuple[str, Any]:
        while True:
            while not self._connection.poll(POLL_SECONDS):
                between()
            kind, value = self._connection.recv()
            if kind != BATCHES:
                return kind, value
            for _ in range(value):
                on_batch()

    def _stop(self) -> None:
        """Interrupts what was asked for, whose answer is of no use any more."""
        try:
            self._send(STOP)
            self._answer(lambda: None, lambda: None)
        except BaseException:
            self.close()
            raise

    def _how(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            return f" by signal {-code}" if code < 0 else f" with exit code {code}"
        return ""


class _Memory:
    """The most memory in use, in ``bytes``; None where it was not looked at."""

    bytes: int | None = None
    watched = False


class RemoteExecutor:
    """Starts runs in a helper."""

    def __init__(
        self,
        helper: WorkerClient,
        uris: Mapping[str, str],
        data: TaskData,
        options: TrainingOptions,
        states: Mapping[str, Path],
    ):
        self._helper = helper
        self._uris = uris
        self._data = data
        self._options = options
        self._states = states

    def start(self, model: str) -> Trained:
        path = resolve(self._uris[model])
        return self._helper.start(model, path, self._data, self._options, self._states.get(model))


class RemoteRun(Trained):
    """A `FineTuning` in a helper."""

    def __init__(
        self,
        helper: WorkerClient,
        number: int,
        model: str,
        data: TaskData,
        curve: list[CurvePoint],
        batches: list[int],
    ):
        self.model = model
        self.curve = curve
        self.data = data
        self._batches = batches
        self._helper = helper
        self._number = number

    @property
    def batches_per_stage(self) -> list[int]:
        return self._batches

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        point: CurvePoint = self._helper.ask(
            "advance", self._number, test, on_batch=on_batch or (lambda: None)
        )
        self.curve.append(point)
        return point

    def test(self) -> float:
        return float(self._call("test"))

    def predict_scores(self, split: str) -> NDArray:
        scores: NDArray = self._call("predict_scores", split)
        return scores

    def save(self, directory: Path) -> None:
        self._call("save", directory)

    def save_state(self, path: Path) -> None:
        self._call("save_state", path)

    def release(self) -> None:
        self._helper.release(self._number)

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._helper.ask("call", self._number, method, *arguments)
