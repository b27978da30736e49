"""What the training of a selection is expected to take: epochs, and seconds by the clock."""

import math
from dataclasses import dataclass
from functools import cached_property

from modelstore.planner.cluster_plan import Placement, placed
from modelstore.planner.context import StatementContext
from modelstore.planner.device_speed import speed_of
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.training_times import FindSpeed, PassTimes, TrainingTimes, unmeasured
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

    @property
    def epoch(self) -> float | None:
        """The seconds of an epoch of one model on the target, with its validations, by the records; None: unknown."""
        stages = self._request.stages
        return None if self._recorded is None else self._recorded.whole(1.0, stages.count / stages.epochs)

    @cached_property
    def _recorded(self) -> PassTimes | None:
        """The mean seconds of a model's passes as the records say."""
        return self._times(unmeasured)[0]

    @cached_property
    def measured(self) -> tuple[PassTimes | None, bool]:
        """As the records say, or else as a probe of this machine does; and whether it does."""
        return self._times(unmeasured if self._request.replays else speed_of(self.placement))

    def _times(self, find_speed: FindSpeed) -> tuple[PassTimes | None, bool]:
        request, store = self._request, self._context.store
        options = request.recipe.options
        times = TrainingTimes(store, request.recipe.name, options, request.dataset, find_speed)
        return times.mean(self._names, request.target, request.dataset), times.is_measured

    @cached_property
    def placement(self) -> Placement:
        """The devices and the memory that training takes."""
        request, most = self._request, self._contenders
        return placed(self._context, request.costliest_recipe, request.options, self._names, most, most)

    @property
    def at_once(self) -> int:
        """How many models train at the same time; a replay walks one after another."""
        return 1 if self._request.replays else self.placement.at_once

    def cost(
        self,
        contenders: int,
        done: int = 0,
        spent: float = 0.0,
        limited: bool = True,
        times: PassTimes | None = None,
    ) -> TrainingCost:
        """What training so many models is expected to take after the stages that are ``done``.

        It is within the budget, of which ``spent`` epochs are gone, unless it is not ``limited``. ``times`` are a
        model's seconds where a probe knows them, and not the records.
        """
        request, stages = self._request, self._request.stages
        budget, times = request.budget, times or self._recorded
        each_epoch = 0.0 if times is None else times.whole(1.0, stages.count / stages.epochs)
        epochs = seconds = 0.0

        def left(limit: float | None, gone: float) -> float | None:
            return limit - gone if limited and limit is not None else None

        remaining = contenders
        for number in range(done + 1, stages.count + 1):
            each = stages.length(number)
            stage = None if times is None else times.whole(each, 1.0)
            to_come = lengths_left(stages, number)
            share = stage_share(stages, number) if request.strategy.shares_budget else 1.0
            epochs_left = left(budget.epochs, spent + epochs)
            seconds_left = left(budget.seconds, spent * each_epoch + seconds)
            most = min(
                max_affordable(epochs_left, each, to_come, request.count, 1, share),
                max_affordable(seconds_left, stage, to_come, request.count, self.at_once, share),
            )
            if most == 0:
                break
            remaining = int(min(remaining, most))
            epochs += remaining * each
            seconds += math.ceil(remaining / self.at_once) * (stage or 0.0)
            remaining = request.strategy.survivors(remaining, request.likely_kept(contenders), number)
        return TrainingCost(epochs, None if times is None else seconds)
