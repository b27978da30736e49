"""Where models train at the same time: on which devices, and in how much memory."""

import math
from contextlib import AbstractContextManager
from functools import cached_property

from modelstore.execution.machine import Machine, this_machine
from modelstore.execution.placement import devices_for
from modelstore.execution.pool import worker_pool
from modelstore.execution.workers import Workers
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import memory_on_gpu, training_memory
from modelstore.planner.recipes import Recipe


class DevicePlan:
    """The devices for a number of training runs.

    Parameters
    ----------
    context
        The statement's context.
    recipe
        How models are trained.
    device
        The device that was asked for: 'auto', 'cpu', 'cuda' or 'cuda:1'.
    names
        The models, some of which train.
    runs
        How many runs there are.
    in_memory
        How many models are in memory, in training or at rest.
    """

    def __init__(
        self,
        context: StatementContext,
        recipe: Recipe,
        device: str,
        names: list[str],
        runs: int,
        in_memory: int,
    ):
        self._store = context.store
        self._recipe = recipe
        self._device = device
        self._names = names
        self._runs = runs
        self._in_memory = in_memory

    def workers(self, most: int) -> AbstractContextManager[Workers]:
        """Those that train, in a block, at most so many. Raises ``TrainingError`` where there is no such device."""
        devices = devices_for(self._device, self._runs, self._memory, self._memory_on_gpu)
        return worker_pool(devices[:most])

    @cached_property
    def _machine(self) -> Machine:
        return this_machine()

    @cached_property
    def at_once(self) -> int:
        """How many models train at the same time; one where this machine lacks the device."""
        if not self._machine.has(self._device):
            return 1
        machine = self._machine
        return len(devices_for(self._device, self._runs, self._memory, self._memory_on_gpu, machine=machine))

    @property
    def slowdown(self) -> float:
        """How many times longer a model takes because others share its GPU.

        √k of k models: of four BERT-base on an H100, two at a time took 1.4 times as long each, four 1.9 times.
        """
        gpus = 1 if ":" in self._device else self._machine.gpus
        return math.sqrt(math.ceil(self.at_once / gpus)) if gpus and self.device != "cpu" else 1.0

    @property
    def where(self) -> str:
        """Where they train, in words for a plan: this machine goes without saying."""
        return ""

    @property
    def device(self) -> str:
        """The device that a model trains on: 'cpu', or a GPU."""
        return self._machine.picked(self._device)

    @property
    def threads(self) -> int:
        """How many of the CPU's threads a model trains on."""
        return max(1, self._machine.threads // self.at_once)

    @property
    def memory(self) -> float | None:
        """The most bytes that training takes; None: unknown."""
        return self._memory(self.at_once)

    def _memory(self, at_once: int) -> float | None:
        measured = self._store.telemetry.peak_memory(self._recipe.name, self._device)
        parameters = self._store.catalog.parameters_of(self._names)
        tuning = self._recipe.options.tuning
        return training_memory(self._names, parameters, self._in_memory, measured, tuning, at_once)

    def _memory_on_gpu(self) -> float | None:
        """What one model takes of a GPU; None: unknown."""
        seen = self._store.telemetry.peak_memory(self._recipe.name, "cuda")
        parameters = self._store.catalog.parameters_of(self._names)
        return memory_on_gpu(self._names, parameters, seen, self._recipe.options.tokens_per_batch)
