"""Where models train at the same time: on which devices, and in how much memory."""

from functools import cached_property

from modelstore.errors import TrainingError
from modelstore.execution.placement import devices_for
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

    @cached_property
    def devices(self) -> list[str]:
        """A device for each run at the same time. Raises ``TrainingError`` where there is no such device."""
        return devices_for(self._device, self._runs, self._memory)

    @property
    def at_once(self) -> int:
        """How many models train at the same time; one where this machine lacks the device."""
        try:
            return len(self.devices)
        except TrainingError:
            return 1

    @property
    def memory(self) -> float | None:
        """The most bytes that training takes; None: unknown."""
        return self._memory(self.at_once)

    def _memory(self, at_once: int) -> float | None:
        measured = self._store.telemetry.peak_memory(self._recipe.name, self._device)
        parameters = self._store.catalog.parameters_of(self._names)
        tuning = self._recipe.options.tuning
        return training_memory(self._names, parameters, self._in_memory, measured, tuning, at_once)
