"""How many models can train at the same time on this machine, and on which devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from modelstore.execution.machine import Machine, free_memory_of, this_machine
from modelstore.training.memory import SPARE, available_memory

WORKER_MEMORY = 500e6  # bytes that a worker process takes before it has a model
MOST_ON_A_GPU = 4  # models at once: more than so many were not measured to be faster
GPU_WORKER_MEMORY = 3e9  # of this machine, for a process that uses a GPU


def devices_for(
    device: str,
    models: int,
    memory: Callable[[int], float | None],
    memory_on_gpu: Callable[[], float | None],
    free_memory: Callable[[], float | None] = available_memory,
    machine: Machine | None = None,
) -> list[str]:
    """Places models that are to be trained: a device for each that trains at the same time.

    On GPUs, or on the one that is named, as often as there are threads and memory for, up to `MOST_ON_A_GPU` times
    each; else on the CPU, as often as it has threads, and memory, for.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, or one GPU such as ``cuda:1``.
    models
        How many are to be trained.
    memory
        The bytes that so many take at the same time on the CPU; None where that is not known.
    memory_on_gpu
        The bytes of a GPU that one takes; None where that is not known: then each GPU has one.
    free_memory
        The bytes of this machine that can be taken; None where that is not known.
    machine
        What is known of this machine, for a plan that is made without torch; None asks torch.

    Returns
    -------
    list of str
        Every GPU once before any is there twice.

    Raises
    ------
    TrainingError
        If this machine has no such device.
    """
    is_plan = machine is not None
    if machine is None:
        from modelstore.training.hardware import pick_device

        pick_device(device)
        machine = this_machine()
    picked = machine.picked(device)
    if not _can_start_workers():
        return [picked]
    if picked == "cpu":
        return [picked] * _on_cpu(min(models, machine.threads), memory, free_memory())
    others = [f"cuda:{number}" for number in range(machine.gpus)] if ":" not in device else []
    gpus = [picked, *(other for other in others if other != picked)]
    usable = SPARE * machine.gpu_memory  # the rest may be that of resting runs
    if not is_plan:
        # Others may use it too. The GPUs beside it are not asked, of which this process takes nothing.
        usable = min(usable, free_memory_of(picked))
    rounds = _on_each(len(gpus), machine.threads, usable, memory_on_gpu(), free_memory())
    return (gpus * rounds)[: max(1, models)]


def _on_cpu(most: int, memory: Callable[[int], float | None], free: float | None) -> int:
    """How many models, at most so many, train on the CPU at the same time."""
    while most > 1 and free is not None and (memory(most) or 0.0) > free:
        most -= 1
    return max(1, most)


def _on_each(gpus: int, threads: int, usable: float, taken: float | None, free: float | None) -> int:
    """How many models train on each of so many GPUs, where one takes so many of a GPU's ``usable`` bytes."""
    fitting = [MOST_ON_A_GPU, threads // gpus, usable // taken if taken else 1]
    if free is not None:
        fitting.append(free // (GPU_WORKER_MEMORY * gpus))
    return max(1, int(min(fitting)))


def _can_start_workers() -> bool:
    """Whether this program can start Python processes that inherit a pipe."""
    return os.name == "posix" and bool(sys.executable) and not hasattr(sys, "frozen")
