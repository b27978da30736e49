"""What the training of a selection is expected to take: epochs, and seconds by the clock."""

import math
from dataclasses import dataclass
from functools import cached_property

from modelstore.planner.context import StatementContext
from modelstore.planner.costs import EpochTimes
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.select.request import SelectRequest
from modelstore.selection.budget import lengths_left, max_affordable, stage_share


@dataclass(frozen=True)
class TrainingCost:
    """What training takes; ``seconds`` is None where the time of an epoch is unknown."""

    epochs: float
    seconds: float | None


class TrainingEstimate:
    """Estimates the training of at most so many ``contenders``, each of them one of the models ``names``."""

    def __init__(self, context: StatementContext, request: SelectRequest, names: list[str], contenders: int):
        self._context = context
        self._request = request
        self._names = names
        self._contenders = contenders

    @cached_property
    def epoch(self) -> float | None:
        """The seconds that an epoch of one model on the target is expected to take; None: unknown."""
        request, store = self._request, self._context.store
        times = EpochTimes(store.telemetry, request.recipe.name, on=request.target)
        parameters = store.catalog.parameters_of(self._names)
        return times.mean_seconds(self._names, parameters, request.target, request.dataset)

    @cached_property
    def placement(self) -> DevicePlan:
        """The devices and the memory that training takes."""
        request, most = self._request, self._contenders
        recipe, device = request.costliest_recipe, request.options.device
        return DevicePlan(self._context, recipe, device, self._names, most, most)

    @property
    def at_once(self) -> int:
        """How many models train at the same time; a replay walks one after another."""
        return 1 if self._request.replays else self.placement.at_once

    def cost(self, contenders: int, done: int = 0, spent: float = 0.0, limited: bool = True) -> TrainingCost:
        """What training so many models is expected to take after the stages that are ``done``.

        It is within the budget, of which ``spent`` epochs are gone, unless it is not ``limited``.
        """
        request, stages = self._request, self._request.stages
        budget, epoch = request.budget, self.epoch
        epochs = seconds = 0.0

        def left(limit: float | None, gone: float) -> float | None:
            return limit - gone if limited and limit is not None else None

        remaining = contenders
        for number in range(done + 1, stages.count + 1):
            each = stages.length(number)
            stage = None if epoch is None else epoch * each
            to_come = lengths_left(stages, number)
            share = stage_share(stages, number) if request.strategy.shares_budget else 1.0
            epochs_left = left(budget.epochs, spent + epochs)
            seconds_left = left(budget.seconds, spent * (epoch or 0.0) + seconds)
            most = min(
                max_affordable(epochs_left, each, to_come, request.count, 1, share),
                max_affordable(seconds_left, stage, to_come, request.count, self.at_once, share),
            )
            if most == 0:
                break
            remaining = int(min(remaining, most))
            epochs += remaining * each
            seconds += math.ceil(remaining / self.at_once) * (stage or 0.0)
            remaining = request.strategy.survivors(remaining, request.count, number)
        return TrainingCost(epochs, None if epoch is None else seconds)
