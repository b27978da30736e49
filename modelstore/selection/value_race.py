"""The race by the value of information, as a strategy: a model is trained while that may change the choice.

With `LEAST_DATASETS` datasets with curves on record, `value_of_information` says what an epoch more of a model is
worth. With fewer, a forecast's deviation is little more than assumed, and validation decides: all train for two
stages, which is half an epoch unless the target is large, and then the best two to the end. The forecasts, where
there are any, only pick the winner of those. A budget takes the place of the price: `budget.stage_share` says how
many go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from modelstore.options import SelectOptions
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.strategy import Pruned, StageResult, Strategy, by_validation
from modelstore.selection.value_of_information import FINALISTS, going_on

LEAST_DATASETS = 10
SCREENING_STAGES = 2
SCREENING_EPOCHS = 0.5
# The shares of models that stay after the first stage, and after a later one, in replays of the benchmark tasks.
SURVIVORS = (0.35, 0.8)
_ONE_STAGE = StageEnds((1.0,))


@dataclass(frozen=True)
class ValueOfInformation(Strategy):
    """Drops a model once an epoch more of it is worth less than its price; the best prediction wins.

    Parameters
    ----------
    price
        The least gain in score for which an epoch more is worth training; a budget takes its place.
    limited
        Whether there is a budget.
    datasets
        How many datasets with curves are on record, besides the target. With fewer than `LEAST_DATASETS` validation
        decides: all models train for half an epoch, and the best two of them to the end.
    stages
        Where the stages end.
    """

    price: float = SelectOptions.price
    limited: bool = False
    datasets: int = 0
    stages: StageEnds = _ONE_STAGE
    name = "value_of_information"
    forecast = "race"
    shares_budget = True
    stages_grow = True

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        return cls(options.price, options.budget_epochs is not None or options.budget_seconds is not None)

    def informed(self, datasets: int, stages: StageEnds) -> Self:
        return replace(self, datasets=datasets, stages=stages)

    @property
    def judges_by(self) -> str:
        return "prediction" if self.datasets else "validation"

    @property
    def details(self) -> str:
        counted = f"{self.datasets or 'no'} dataset{'' if self.datasets == 1 else 's'} with curves"
        if self._by_value:
            return counted if self.limited else f"price {self.price:g} per epoch, {counted}"
        rule = "by validation" if self.limited else f"best {FINALISTS} after {self._screened:.2g} epochs"
        return f"{rule} ({counted}, fewer than {LEAST_DATASETS})"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        if self.limited:
            return []  # as many go on as the budget has room for
        stays = {result.model for result in self._going_on(results, keep)}
        leader = self.rank(results)[keep - 1]
        return [
            Pruned(one.model, self._reason(one, leader, keep)) for one in results if one.model not in stays
        ]

    def merit(self, result: StageResult) -> float:
        return (result.predicted or 0.0) if self.datasets else result.counted

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        ranked = by_validation(results)
        return sorted(ranked, key=lambda one: -self.merit(one)) if self.datasets else ranked

    def turns(self, results: Sequence[StageResult], keep: int) -> list[StageResult]:
        first = self._going_on(results, keep)
        return first + [one for one in self.rank(results) if one not in first]

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        finalists = max(FINALISTS, keep)
        if self.limited or not (self._by_value or stage >= self._screening):
            return models
        share = SURVIVORS[min(stage, len(SURVIVORS)) - 1] if self._by_value else 0.0
        return min(models, max(finalists, round(share * models)))

    def _going_on(self, results: Sequence[StageResult], keep: int) -> list[StageResult]:
        """The models that are worth training on, in the order of their turns."""
        if not self._by_value:
            screened = results[0].stage >= self._screening and not self.limited
            return by_validation(results)[: max(FINALISTS, keep) if screened else None]
        ranked = self.rank(results)
        means = np.array([one.predicted for one in ranked], dtype=float)
        values = np.array([one.value for one in ranked], dtype=float)
        return [ranked[place] for place in going_on(means, values, 0.0 if self.limited else self.price, keep)]

    def _reason(self, result: StageResult, leader: StageResult, keep: int) -> str:
        if not self._by_value:
            best = max(FINALISTS, keep)
            return f"validation {result.counted:.3f} is not among the best {best} after {self._screened:.2g} epochs"
        behind = (leader.predicted or 0.0) - (result.predicted or 0.0)
        return (
            f"predicted {result.predicted:.3f} ± {result.deviation:.3f}, {behind:.3f} behind {leader.model}; "
            f"an epoch more is worth {result.value:.4f}, less than {self.price:g}"
        )

    @property
    def _by_value(self) -> bool:
        return self.datasets >= LEAST_DATASETS

    @property
    def _screening(self) -> int:
        return screening_stages(self.stages.ends)

    @property
    def _screened(self) -> float:
        return self.stages.ends[self._screening - 1]


def screening_stages(epochs: Sequence[float]) -> int:
    """After how many stages validation decides: two, or fewer where those already end after half an epoch."""
    return min(SCREENING_STAGES, int(np.searchsorted(epochs, SCREENING_EPOCHS - 1e-9)) + 1, len(epochs))
