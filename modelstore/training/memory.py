"""How much memory training takes, and how much there is."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

INTERVAL = 0.05  # seconds between two looks at the process
CGROUP = Path("/sys/fs/cgroup")


class PeakMemory(AbstractContextManager["PeakMemory"]):
    """Measures the most memory in use in a block of code, or between `start` and `stop`.

    On CUDA that is what torch had allocated on the device at most, and nothing of the host's. On the CPU it is
    how far the resident memory of the whole process grew, looked at every `INTERVAL`: what other threads take
    counts too, a peak between two looks is missed, and so is growth into memory that the process had freed but
    kept.

    Parameters
    ----------
    device
        A ``torch.device``.

    Attributes
    ----------
    bytes
        The result; None before the start.
    """

    bytes: int | None = None

    def __init__(self, device: Any):
        self._device = device
        self._process = psutil.Process()
        self._before = 0
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="modelstore-memory", daemon=True)

    def start(self) -> None:
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
            return
        self._before, self.bytes = self._resident(), 0
        self._sampler.start()

    def stop(self) -> None:
        if self._device.type == "cuda":
            import torch

            self.bytes = torch.cuda.max_memory_allocated(self._device)
            return
        self._stop.set()
        self._sampler.join()

    def __enter__(self) -> PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _sample(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(INTERVAL)  # the last look comes at the end
            self.bytes = max(self.bytes or 0, self._resident() - self._before)

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)


def available_memory(cgroup: Path = CGROUP) -> int:
    """The bytes that can be taken without another program's memory being swapped out.

    In a container it is what its limit leaves, where that is less: psutil does not know of it.

    Parameters
    ----------
    cgroup
        The folder of the process's control group (version 2).
    """
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((cgroup / file).read_text()) for file in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # there is no control group, or it has no limit
        return free
    return min(free, limit - used)
