"""Who trains: this process, and helpers beside it, each with a device or a share of the CPU's threads.

Several small models train faster side by side than one after another on all threads, and several GPUs are used by as
many processes: torch's random state, and Python itself, are one a process.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from modelstore.data.task_data import TaskData
from modelstore.execution.client import WorkerClient
from modelstore.options import TrainingOptions
from modelstore.training.memory import PeakMemory, available
from modelstore.training.run import Executor

HELPER_MEMORY = 500e6  # bytes that a helper takes before it has a model


class Worker(Protocol):
    """Trains one run at a time."""

    device: str

    @property
    def ready(self) -> bool:
        """Whether it can begin at once."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it has what it had in memory."""
        ...

    def executor(
        self, uris: Mapping[str, str], data: TaskData, options: TrainingOptions, states: Mapping[str, Path]
    ) -> Executor:
        """Starts runs there, as `TorchExecutor`, on its device."""
        ...

    def peak_memory(self) -> Any:
        """A block within which the most memory in use is noted: its ``bytes``."""
        ...

    def using(self, threads: int) -> Any:
        """A block within which what it trains has so many threads."""
        ...


class LocalWorker:
    """This process."""

    ready = alive = True

    def __init__(self, device: str):
        self.device = device

    def executor(
        self, uris: Mapping[str, str], data: TaskData, options: TrainingOptions, states: Mapping[str, Path]
    ) -> Executor:
        from modelstore.execution.torch_executor import TorchExecutor

        return TorchExecutor(uris, data, replace(options, device=self.device), states)

    def peak_memory(self) -> PeakMemory:
        from modelstore.training.hardware import pick_device

        return PeakMemory(pick_device(self.device))

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


_resting: list[WorkerClient] = []
_lock = threading.Lock()


@contextmanager
def worker_pool(devices: Sequence[str]) -> Iterator[list[Worker]]:
    """Workers, one a device: this process the first, and helpers, which rest for a while after the block."""
    helpers: list[WorkerClient] = []
    try:
        with suppress(OSError):  # no more than there is room for
            for device in devices[1:]:
                helpers.append(_helper(device))
        yield [LocalWorker(devices[0]), *helpers]
    finally:
        for helper in helpers:
            helper.release()
        with _lock:
            _resting.extend(helper for helper in helpers if helper.alive)


def _helper(device: str) -> WorkerClient:
    """One that rests, or a new one; alone it has all threads. Raises ``OSError`` where none can be started."""
    import torch

    with _lock:
        alive = [helper for helper in _resting if helper.alive]
        _resting[:] = alive[1:]
    helper = alive[0] if alive else WorkerClient(device)
    helper.device, helper.threads = device, torch.get_num_threads()
    return helper


@atexit.register
def _end() -> None:
    while _resting:
        _resting.pop().close()


def devices_for(device: str, models: int, memory: Callable[[int], float | None]) -> list[str]:
    """Where to train so many models at the same time, a device for each that trains then.

    All GPUs, unless one is named; else the CPU as often as it has threads for, and memory: ``memory`` is what so many
    at once take of it, in bytes (None: not known). Raises TrainingError for a device that is not there.
    """
    import torch

    from modelstore.training.hardware import pick_device

    picked = pick_device(device)
    count = 1
    if os.name == "posix" and sys.executable and not hasattr(sys, "frozen"):  # where helpers can be started
        on_gpus = 1 if ":" in device else torch.cuda.device_count()
        count = max(1, min(models, on_gpus if picked.type == "cuda" else torch.get_num_threads()))
    if picked.type == "cuda":
        others = (index for index in range(torch.cuda.device_count()) if index != picked.index)
        return [str(picked), *(f"cuda:{index}" for index in others)][:count]
    free = available()
    while count > 1 and free is not None and (memory(count) or 0.0) > free:
        count -= 1
    return [str(picked)] * count
