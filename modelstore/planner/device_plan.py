"""Where models train at the same time: on which devices, and in how much memory."""

from contextlib import AbstractContextManager
from functools import cached_property

from modelstore.execution.machine import Machine, this_machine
from modelstore.execution.placement import devices_for
from modelstore.execution.pool import worker_pool
from modelstore.execution.workers import Workers
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import training_memory
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
        return worker_pool(devices_for(self._device, self._runs, self._memory)[:most])

    @cached_property
    def _machine(self) -> Machine:
        return this_machine()

    @cached_property
    def at_once(self) -> int:
        """How many models train at the same time; one where this machine lacks the device."""
        if not self._machine.has(self._device):
            return 1
        return len(devices_for(self._device, self._runs, self._memory, machine=self._machine))

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
