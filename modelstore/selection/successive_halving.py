"""Successive halving: after each stage the better half of the models goes on.

Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016.
It is fine selection without the convergence trends: n models and T stages cost n + n/2 + n/4 + …, and the
survivor is trained to the end.
"""

from collections.abc import Sequence

from modelstore.selection.strategy import Pruned, StageResult, Strategy, half, halve


class SuccessiveHalving(Strategy):
    """Drops the half of the models that is worse on validation."""

    name = "successive_halving"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        return halve(results, [], keep)

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        return min(models, max(keep, half(models)))
