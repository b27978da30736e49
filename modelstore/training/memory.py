"""Measures the memory that training takes, and the memory that is available."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

INTERVAL = 0.05  # seconds between two samples of the process's memory
CGROUP = Path("/sys/fs/cgroup")
SPARE = 0.4  # the share of a GPU's memory that resting runs leave free for runs that train


class PeakMemory(AbstractContextManager["PeakMemory"]):
    """Measures the peak memory within the context, or between `start` and `stop`.

    It is the largest growth, so that what rests in memory from before does not count. On CUDA it is that of the
    memory that torch has allocated on the device; the host's memory does not count. On a CPU it is that of the
    process's resident memory, sampled every `INTERVAL`: memory that other threads
    take counts too. A peak between two samples is missed, and so is growth into memory that the process had freed
    but kept.

    Parameters
    ----------
    device
        The ``torch.device`` whose memory is measured.

    Attributes
    ----------
    bytes
        The peak, in bytes; None before the measurement.
    """

    bytes: int | None = None

    def __init__(self, device: Any):
        self._device = device
        self._process = psutil.Process()
        self._before = 0
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="modelstore-memory", daemon=True)

    def start(self) -> None:
        """Begins the measurement."""
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
            return
        self._before, self.bytes = self._resident(), 0
        self._sampler.start()

    def stop(self) -> None:
        """Ends the measurement; the result is in `bytes`."""
        if self._device.type == "cuda":
            import torch

            self.bytes = torch.cuda.max_memory_allocated(self._device) - self._before
            return
        self._stop.set()
        self._sampler.join()

    def __enter__(self) -> PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _sample(self) -> None:
        """Samples the process's memory until the measurement is stopped."""
        stopped = False
        while not stopped:
            stopped = self._stop.wait(INTERVAL)  # the last sample is taken after the stop
            self.bytes = max(self.bytes or 0, self._resident() - self._before)

    def _resident(self) -> int:
        """Returns the resident memory of the process, in bytes."""
        return int(self._process.memory_info().rss)


def available_memory(cgroup: Path = CGROUP) -> int:
    """Returns the memory that can be allocated without swapping out that of another program, in bytes.

    In a container, it is at most what the container's limit leaves, which psutil does not take into account.

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
