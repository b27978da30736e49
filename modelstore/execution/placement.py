"""How many models can train at the same time on this machine, and on which devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from modelstore.execution.machine import Machine, this_machine
from modelstore.training.memory import available_memory

WORKER_MEMORY = 500e6  # bytes that a worker process takes before it has a model


def devices_for(
    device: str,
    models: int,
    memory: Callable[[int], float | None],
    free_memory: Callable[[], float | None] = available_memory,
    machine: Machine | None = None,
) -> list[str]:
    """Places models that are to be trained: a device for each that trains at the same time.

    On GPUs, one each, unless one is named; else on the CPU, as often as it has threads, and memory, for.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, or one GPU such as ``cuda:1``.
    models
        How many are to be trained.
    memory
        The bytes that so many take at the same time; None where that is not known.
    free_memory
        The bytes that can be taken; None where that is not known.
    machine
        What is known of this machine, for a plan that is made without torch; None asks torch.

    Raises
    ------
    TrainingError
        If this machine has no such device.
    """
    if machine is None:
        from modelstore.training.hardware import pick_device

        pick_device(device)
        machine = this_machine()
    picked = machine.picked(device)
    if picked != "cpu":
        count = min(models, 1 if ":" in device else machine.gpus) if _can_start_workers() else 1
        others = (f"cuda:{index}" for index in range(machine.gpus))
        return [picked, *(other for other in others if other != picked)][: max(1, count)]
    count = min(models, machine.threads) if _can_start_workers() else 1
    free = free_memory()
    while count > 1 and free is not None and (memory(count) or 0.0) > free:
        count -= 1
    return [picked] * max(1, count)


def _can_start_workers() -> bool:
    """Whether this program can start Python processes that inherit a pipe."""
    return os.name == "posix" and bool(sys.executable) and not hasattr(sys, "frozen")
