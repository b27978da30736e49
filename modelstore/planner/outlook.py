"""What the training of a selection is expected to take: epochs, seconds by the clock, and memory."""

import math
from functools import cached_property

from modelstore.engine.workers import devices_for
from modelstore.errors import TrainingError
from modelstore.planner.costs import Costs, training_memory
from modelstore.planner.plan import Cost
from modelstore.planner.request import Request
from modelstore.planner.session import Session
from modelstore.selection.budget import room


class Outlook:
    """What training some of the models ``names`` is expected to take, ``contenders`` at most."""

    def __init__(self, session: Session, request: Request, names: list[str], contenders: int):
        self._telemetry = session.store.telemetry
        self._request = request
        self._names = names
        self._contenders = contenders
        self._parameters = session.store.catalog.parameters_of(names)

    @cached_property
    def epoch(self) -> float | None:
        """The seconds that an epoch of one of the models on the target is expected to take; None: unknown."""
        request = self._request
        costs = Costs(self._telemetry, request.recipe.name, on=request.target)
        return costs.mean_epoch(self._names, self._parameters, request.target, request.dataset)

    @cached_property
    def devices(self) -> list[str]:
        """Where models train at the same time; raises ``TrainingError`` where there is no such device."""
        return devices_for(self._request.options["device"], self._contenders, self._memory)

    @property
    def at_once(self) -> int:
        """How many models train at the same time: one in a replay, or where the plan is for another machine."""
        try:
            return len(self.devices) if self._request.trains else 1
        except TrainingError:
            return 1

    @property
    def memory(self) -> float | None:
        """The bytes that training takes at most; None: unknown."""
        return self._memory(self.at_once)

    def _memory(self, at_once: int) -> float | None:
        request = self._request
        measured = self._telemetry.peak_memory(request.recipe.name, request.options["device"])
        tuning = request.recipe.options["tuning"]
        return training_memory(self._names, self._parameters, self._contenders, measured, tuning, at_once)

    def cost(self, contenders: int, stages: int, spent: float = 0.0, limited: bool = True) -> Cost:
        """What training so many models for so many stages is expected to take.

        Within the budget, of which recall has ``spent`` so many epochs before, unless it is not ``limited``.
        """
        request, each = self._request, self._request.stage_epochs
        budget, stage = request.budget, None if self.epoch is None else self.epoch * each
        epochs_left = seconds_left = None
        if limited and budget.epochs is not None:
            epochs_left = budget.epochs - spent
        if limited and budget.seconds is not None:
            seconds_left = budget.seconds - spent * (self.epoch or 0.0)
        epochs = seconds = 0.0
        remaining = contenders
        for to_come in range(stages, 0, -1):
            most = min(
                room(None if epochs_left is None else epochs_left - epochs, each, to_come, request.count),
                math.inf
                if seconds_left is None
                else room(seconds_left - seconds, stage, to_come, request.count, self.at_once),
            )
            if most == 0:
                break
            remaining = int(min(remaining, most))
            epochs += remaining * each
            seconds += math.ceil(remaining / self.at_once) * (stage or 0.0)
            remaining = request.strategy.survivors(remaining, request.count)
        return Cost(epochs=epochs, seconds=None if stage is None else seconds)
