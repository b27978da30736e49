"""Every model is trained to the end: the baseline that all others are measured against."""

from collections.abc import Sequence

from modelstore.selection.strategy import Pruned, StageResult, by_validation


class BruteForce:
    """Drops nobody."""

    name = "brute_force"
    predicts = False
    judges_by = "validation"

    def drop(self, standings: Sequence[StageResult], keep: int) -> list[Pruned]:
        return []

    def rank(self, standings: Sequence[StageResult]) -> list[StageResult]:
        return by_validation(standings)

    def survivors(self, models: int, keep: int) -> int:
        return models
