"""Where models train at the same time: on which devices, and in how much memory."""

from functools import cached_property

from modelstore.errors import TrainingError
from modelstore.execution.placement import devices_for
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import training_memory
from modelstore.planner.recipes import Recipe


class DevicePlan:
    """Of ``runs`` of the models ``names`` by a recipe; so many are ``kept`` in memory, training or at rest."""

    def __init__(
        self, context: StatementContext, recipe: Recipe, device: str, names: list[str], runs: int, kept: int
    ):
        self._store = context.store
        self._recipe = recipe
        self._device = device
        self._names = names
        self._runs = runs
        self._kept = kept

    @cached_property
    def devices(self) -> list[str]:
        """A device for each that trains at the same time; raises ``TrainingError`` where there is no such device."""
        return devices_for(self._device, self._runs, self._memory)

    @property
    def at_once(self) -> int:
        """How many train at the same time; one where the plan is for another machine."""
        try:
            return len(self.devices)
        except TrainingError:
            return 1

    @property
    def memory(self) -> float | None:
        """The bytes that training takes at most; None: unknown."""
        return self._memory(self.at_once)

    def _memory(self, at_once: int) -> float | None:
        measured = self._store.telemetry.peak_memory(self._recipe.name, self._device)
        parameters = self._store.catalog.parameters_of(self._names)
        tuning = self._recipe.options["tuning"]
        return training_memory(self._names, parameters, self._kept, measured, tuning, at_once)
