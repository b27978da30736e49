"""Where workers are placed on a Ray cluster: how many, on which devices, with what threads and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from modelstore.errors import TrainingError
from modelstore.execution.placement import MOST_ON_A_GPU
from modelstore.execution.ray_cluster.session import Node

GIVEN = 0.9  # the share of a GPU's memory that is given out


@dataclass(frozen=True)
class Needs:
    """What training takes.

    Parameters
    ----------
    memory
        The bytes that each of so many workers takes; None: unknown.
    gpu_memory
        The most bytes that any of the models was seen to take on a GPU; None where one was never seen on one.
    """

    memory: Callable[[int], float | None] = lambda workers: None
    gpu_memory: float | None = None


@dataclass(frozen=True)
class Places:
    """Where workers are placed.

    Parameters
    ----------
    count
        How many there are to be.
    device
        ``cpu`` or ``cuda``.
    threads
        The CPU threads of each.
    on_a_gpu
        How many share a GPU.
    memory
        The bytes that each is given; None: Ray does not count them.
    """

    count: int
    device: str
    threads: int
    on_a_gpu: int = 1
    memory: int | None = None

    @property
    def gpus(self) -> float:
        """The GPUs of each."""
        return 1 / self.on_a_gpu if self.device == "cuda" else 0

    def __str__(self) -> str:
        """What one worker takes, in words."""
        parts = [] if self.device != "cuda" else ["a GPU" if self.on_a_gpu == 1 else f"1/{self.on_a_gpu} GPU"]
        parts.append(f"{self.threads} CPU{'' if self.threads == 1 else 's'}")
        if self.memory is not None:
            parts.append(f"{self.memory / 1e9:.1f} GB")
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def places_on(
    nodes: Sequence[Node], device: str, jobs: int, wanted: int | None, needs: Needs | None = None
) -> Places:
    """Places workers for so many jobs: on GPUs where there are any, or else as often as CPUs are there.

    Several share a GPU where there are more jobs than GPUs, and what models were seen to take allows it. The CPUs
    are shared out as this machine's threads are: all of them, to as many as work at the same time. There are no more
    workers than the nodes' memory has room for.

    Parameters
    ----------
    nodes
        The nodes of the cluster.
    device
        ``auto``, ``cpu`` or ``cuda``.
    jobs
        How many jobs there are.
    wanted
        How many workers the user asks for; None: as many as fit. More than fit wait for nodes to come.
    needs
        What training takes, where it is known.

    Raises
    ------
    TrainingError
        If GPUs are asked for, and there are none, or a certain one is.
    """
    needs = needs or Needs()
    gpus = sum(node.gpus for node in nodes)
    if ":" in device:
        raise TrainingError(
            f"device = '{device}' is a GPU of this machine: on a cluster, say 'cuda', and each worker gets one"
        )
    if device == "cuda" and not gpus and wanted is None:
        raise TrainingError(
            f"no node of the cluster ({counted_nodes(nodes)}) has a GPU: use device = 'auto' or 'cpu'"
        )
    if device != "cpu" and (gpus or device == "cuda"):
        able = [node for node in nodes if node.gpus]
        places = _on_gpus(able, jobs, wanted, needs.gpu_memory)
    else:
        able = list(nodes)
        places = _on_cpus(able, jobs, wanted)
    memories = [node.memory for node in able if node.memory is not None]
    each = needs.memory(places.count)
    if each is None or not memories:
        return places
    each = min(each, max(memories))  # or no node would do
    fitting = sum(int(memory // each) for memory in memories)
    if wanted is None and fitting < places.count:
        return places_on(nodes, device, fitting, wanted, needs)
    return replace(places, memory=int(each))


def _on_gpus(nodes: Sequence[Node], jobs: int, wanted: int | None, taken: float | None) -> Places:
    """Places on nodes that have GPUs, of which a model takes so many bytes."""
    gpus, workers = sum(node.gpus for node in nodes), min(jobs, wanted or jobs)
    sizes = [node.gpu_memory for node in nodes]
    on_a_gpu = 1
    if taken and None not in sizes and gpus:
        fitting = int(min(size for size in sizes if size is not None) * GIVEN // taken)
        cpus = min(node.cpus // node.gpus for node in nodes)
        on_a_gpu = max(1, min(fitting, math.ceil(workers / gpus), cpus, MOST_ON_A_GPU))
    count = min(jobs, wanted or gpus * on_a_gpu)
    threads = max(1, min((node.cpus // (node.gpus * on_a_gpu) for node in nodes), default=1))
    return Places(count, "cuda", threads, on_a_gpu)


def _on_cpus(nodes: Sequence[Node], jobs: int, wanted: int | None) -> Places:
    cpus = sum(node.cpus for node in nodes)
    count = max(1, min(jobs, wanted or cpus))
    largest = max((node.cpus for node in nodes), default=1)
    threads = max(1, min(cpus // count, largest))
    while threads > 1 and sum(node.cpus // threads for node in nodes) < count:
        threads -= 1  # what the nodes have does not divide evenly
    return Places(count, "cpu", threads)


def counted_nodes(nodes: Sequence[Node]) -> str:
    """What nodes have, in words."""
    gpus, cpus = sum(node.gpus for node in nodes), sum(node.cpus for node in nodes)
    return f"{len(nodes)} node{'' if len(nodes) == 1 else 's'} with {cpus} CPUs and {gpus} GPUs"
