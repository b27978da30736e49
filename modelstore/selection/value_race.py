"""The race by the value of information, as a strategy: a model is trained while that may change the choice.

After each stage the better half of the models by forecast may go on, and those of it do whose training is still worth
its price, as `value_of_information` says; the best two do in any case. The value of each model is that of
training it alone, which overstates what training many at once brings, so that the half bounds them (Jamieson &
Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016).

With fewer than `LEAST_DATASETS` datasets with curves on record, forecasts trust a first look too much, and validation
decides: the better half goes on, and with the last of it all that are level with it. On a hard task models may all be
at chance at first, and which of them leads says nothing.

A budget takes the place of price and half: `budget.stage_share` says how many go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from modelstore.options import SelectOptions
from modelstore.selection.strategy import (
    Pruned,
    StageResult,
    Strategy,
    by_validation,
    half,
    why_in_worse_half,
)
from modelstore.selection.value_of_information import FINALISTS, going_on

LEAST_DATASETS = 10
# The share of models that stay after the first stage, in replays of the benchmark tasks. Later about half do.
FIRST_SURVIVORS = 0.35


@dataclass(frozen=True)
class ValueOfInformation(Strategy):
    """Drops the worse half, and models of which an epoch more is worth less than its price; the best prediction wins.

    Parameters
    ----------
    price
        The least gain in score for which an epoch more is worth training; a budget takes its place.
    limited
        Whether there is a budget.
    datasets
        How many datasets with curves are on record, besides the target. With fewer than `LEAST_DATASETS` validation
        decides.
    """

    price: float = SelectOptions.price
    limited: bool = False
    datasets: int = 0
    name = "value_of_information"
    forecast = "race"
    shares_budget = True
    stages_grow = True

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        return cls(options.price, options.budget_epochs is not None or options.budget_seconds is not None)

    def informed(self, datasets: int) -> Self:
        return replace(self, datasets=datasets)

    @property
    def judges_by(self) -> str:
        return "prediction" if self._by_value else "validation"

    @property
    def details(self) -> str:
        counted = f"{self.datasets or 'no'} dataset{'' if self.datasets == 1 else 's'} with curves"
        if self._by_value:
            return (
                counted if self.limited else f"price {self.price:g} per epoch, half at most go on, {counted}"
            )
        rule = (
            "by validation" if self.limited else "the better half by validation and all level with it go on"
        )
        return f"{rule} ({counted}, fewer than {LEAST_DATASETS})"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        if self.limited:
            return []  # as many go on as the budget has room for
        stays = {result.model for result in self._going_on(results, keep)}
        leader = self.rank(results)[keep - 1]
        return [Pruned(one.model, self._reason(one, leader)) for one in results if one.model not in stays]

    def merit(self, result: StageResult) -> float:
        return (result.predicted or 0.0) if self._by_value else result.counted

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        ranked = by_validation(results)
        return sorted(ranked, key=lambda one: -self.merit(one)) if self._by_value else ranked

    def turns(self, results: Sequence[StageResult], keep: int) -> list[StageResult]:
        first = self._going_on(results, keep)
        return first + [one for one in self.rank(results) if one not in first]

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        if self.limited:
            return models
        stay = round(FIRST_SURVIVORS * models) if self._by_value and stage == 1 else half(models)
        return min(models, max(FINALISTS, keep, stay))

    def _going_on(self, results: Sequence[StageResult], keep: int) -> list[StageResult]:
        """The models that are worth training on, in the order of their turns."""
        ranked = self.rank(results)
        most = len(ranked) if self.limited else min(len(ranked), max(FINALISTS, keep, half(len(ranked))))
        if not self._by_value:
            return [one for one in ranked if one.counted >= ranked[most - 1].counted]
        better = ranked[:most]
        means = np.array([one.predicted for one in better], dtype=float)
        values = np.array([one.value for one in better], dtype=float)
        return [better[place] for place in going_on(means, values, 0.0 if self.limited else self.price, keep)]

    def _reason(self, result: StageResult, leader: StageResult) -> str:
        if not self._by_value:
            return why_in_worse_half(result)
        behind = (leader.predicted or 0.0) - (result.predicted or 0.0)
        forecast = (
            f"predicted {result.predicted:.3f} ± {result.deviation:.3f}, {behind:.3f} behind {leader.model}"
        )
        if (result.value or 0.0) < self.price:
            return f"{forecast}; an epoch more is worth {result.value:.4f}, less than {self.price:g}"
        return f"{forecast}, in the worse half"

    @property
    def _by_value(self) -> bool:
        return self.datasets >= LEAST_DATASETS
