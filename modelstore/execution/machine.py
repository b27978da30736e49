"""What this machine has to train with, remembered so that a plan can be made without loading torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelstore.training import speed


@dataclass(frozen=True)
class Machine:
    """The devices of a machine.

    Parameters
    ----------
    threads
        The threads that torch takes on the CPU.
    gpus
        How many CUDA devices there are.
    current
        The number of the current one.
    gpu_memory
        The bytes of the smallest of them.
    """

    threads: int
    gpus: int = 0
    current: int = 0
    gpu_memory: float = 0.0

    def has(self, device: str) -> bool:
        """Whether it has the device: 'auto', 'cpu', 'cuda' or 'cuda:1'."""
        return device in ("auto", "cpu") or (device == "cuda" and self.gpus > 0) or device in self._numbered

    @property
    def _numbered(self) -> list[str]:
        return [f"cuda:{number}" for number in range(self.gpus)]

    def picked(self, device: str) -> str:
        """The device that a name stands for, as `modelstore.training.hardware.pick_device` picks it."""
        if device == "cpu" or not self.gpus:
            return "cpu"
        return device if ":" in device else f"cuda:{self.current}"


def this_machine() -> Machine:
    """This machine; where torch is not loaded, what it said last time is believed as long as nothing has changed."""
    is_loaded = "torch" in sys.modules  # the program may then have chosen other settings
    known = speed.read_entry(_key())
    if known is not None and not is_loaded:
        try:
            return Machine(**known)
        except TypeError:  # of another version
            known = None
    machine = _inspect()
    if known is None:
        speed.write_entry(_key(), asdict(machine))
    return machine


def _inspect() -> Machine:
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not gpus:
        return Machine(torch.get_num_threads())
    memory = min(torch.cuda.get_device_properties(number).total_memory for number in range(gpus))
    return Machine(torch.get_num_threads(), gpus, torch.cuda.current_device(), float(memory))


def free_memory_of(gpu: str) -> float:
    """The bytes of a GPU that are free now. From then on this process takes some of its memory."""
    import torch

    return float(torch.cuda.mem_get_info(torch.device(gpu))[0])


def _key(environment: Mapping[str, str] = os.environ) -> str:
    """All that what torch says depends on."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    cores: Any = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cards = len(list(Path("/dev").glob("nvidia[0-9]*")))
    settings = " ".join(environment.get(name, "-") for name in names)
    return f"devices {speed.device_key('', 0)} {settings} {cores} {cards}"
