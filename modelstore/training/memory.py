"""How much memory training takes."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

INTERVAL = 0.05  # seconds between two looks at the process


class PeakMemory(AbstractContextManager["PeakMemory"]):
    """Within, notes the most memory in use: ``bytes``, None where this system does not tell.

    On CUDA it is what torch had allocated there at most, and nothing of the host's. On the CPU it is how far the
    resident memory of the whole process grew beyond what it was at the start, looked at every `INTERVAL`: memory
    that other threads take is counted too, a peak between two looks is missed, and so is growth into memory that
    the process had freed but kept.
    """

    bytes: int | None = None

    def __init__(self, device: Any):
        self._device = device
        self._stop = threading.Event()
        self._before = 0
        self._sampler = threading.Thread(target=self._sample, name="modelstore-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
        elif (before := _resident()) is not None:
            self._before, self.bytes = before, 0
            self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            import torch

            self.bytes = torch.cuda.max_memory_allocated(self._device)
        elif self.bytes is not None:
            self._stop.set()
            self._sampler.join()

    def _sample(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(INTERVAL)  # the last look comes at the end
            self.bytes = max(self.bytes or 0, (_resident() or 0) - self._before)


def _resident() -> int | None:
    """The bytes of this process that are in memory, where `/proc` tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def available() -> int | None:
    """The bytes that can be taken without another's being put out of memory; None where the system does not tell.

    In a container it is what its limit (cgroup v2) leaves, where that is less.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {name: int(size.split()[0]) * 1024 for name, _, size in (line.partition(":") for line in lines)}
    free = sizes.get("MemAvailable")
    try:
        group = Path("/sys/fs/cgroup")
        left = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such limit
        return free
    return left if free is None else min(free, left)
