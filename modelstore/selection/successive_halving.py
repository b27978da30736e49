"""Successive halving (Jamieson & Talwalkar, AISTATS 2016): after each stage the better half goes on.

It is fine selection without the trends: with n models and T stages the cost is n + n/2 + n/4 + …,
the survivor being trained to the end.
"""

from collections.abc import Sequence

from modelstore.selection.strategy import Pruned, StageResult, by_validation, half, halve


class SuccessiveHalving:
    name = "successive_halving"
    predicts = False
    judges_by = "validation"

    def drop(self, standings: Sequence[StageResult], keep: int) -> list[Pruned]:
        return halve(standings, [], keep)

    def rank(self, standings: Sequence[StageResult]) -> list[StageResult]:
        return by_validation(standings)

    def survivors(self, models: int, keep: int) -> int:
        return min(models, max(keep, half(models)))
