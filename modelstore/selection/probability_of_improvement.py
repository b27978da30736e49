"""A race by the probability of improvement: a model with too small a chance of ending above the leader is dropped.

After each stage every model has a forecast of its final score, a normal distribution (see
`pooled_prediction`). The leader is the model with the best mean; another one goes on while its chance of
ending better than the leader,

    P(m > leader) = Φ((mean(m) − mean(leader)) / √(deviation(m)² + deviation(leader)²)),

is at least a bound: the probability of improvement (Kushner, "A New Method of Locating the Maximum Point of
an Arbitrary Multipeak Curve in the Presence of Noise", 1964), as racing uses it (Maron & Moore, "Hoeffding
Races: Accelerating Model Selection Search for Classification and Function Approximation", NIPS 1993). At the
end the best forecast wins, not the best validation: on few validation rows that is mostly luck.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from modelstore.options import SelectOptions
from modelstore.selection.strategy import Pruned, StageResult, Strategy, by_validation

# Chosen on the 15 benchmark tasks of benchmarks/data (see benchmarks/strategies.py), where it costs half
# of fine selection's epochs; lower bounds buy lower regret with more epochs. Within a budget the lower one is used:
# the budget limits the epochs.
BOUND = 0.35
BOUND_WITHIN_BUDGET = 0.2
# The share of models that stays after a stage on those tasks.
SURVIVORS = 0.4


@dataclass(frozen=True)
class ProbabilityOfImprovement(Strategy):
    """Drops by the chance of ending above the leader.

    Parameters
    ----------
    bound
        The least chance with which a model goes on.
    """

    bound: float = BOUND
    name = "probability_of_improvement"
    forecast = "pooled"

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        limited = options.budget_epochs is not None or options.budget_seconds is not None
        return cls(BOUND_WITHIN_BUDGET if limited else BOUND)

    @property
    def judges_by(self) -> str:
        return "prediction"

    @property
    def details(self) -> str:
        return f"bound {self.bound:g}"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        ranked = self.rank(results)
        # Where several winners are wanted, a model goes on if it may end above the last of them.
        leader = ranked[keep - 1]
        drops = []
        for result in ranked[keep:][::-1]:
            chance = improvement(result, leader)
            if chance < self.bound:
                drops.append(
                    Pruned(
                        result.model,
                        f"predicted {result.predicted:.4f} ± {result.deviation:.4f}: a chance of {chance:.2f} "
                        f"of ending above {leader.model}, predicted {leader.predicted:.4f} ± {leader.deviation:.4f}",
                    )
                )
        return drops

    def merit(self, result: StageResult) -> float:
        return result.predicted or 0.0

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        return sorted(by_validation(results), key=lambda result: -self.merit(result))

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        return min(models, max(keep, math.floor(SURVIVORS * models)))


def improvement(result: StageResult, leader: StageResult) -> float:
    """The chance that a model ends above the leader, by their forecasts; 1 where one of them has none.

    Examples
    --------
    >>> leader = StageResult("leader", 0.8, predicted=0.8, deviation=0.03)
    >>> behind = StageResult("behind", 0.75, predicted=0.75, deviation=0.04)
    >>> round(improvement(behind, leader), 3)  # one standard deviation behind
    0.159
    """
    if result.predicted is None or leader.predicted is None:
        return 1.0
    deviation = math.hypot(result.deviation or 0.0, leader.deviation or 0.0)
    ahead = result.predicted - leader.predicted
    if deviation == 0.0:
        return float(ahead >= 0.0)
    return (1 + math.erf(ahead / deviation / math.sqrt(2))) / 2
