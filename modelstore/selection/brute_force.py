"""Brute force: every model is trained to the end, and the best validation wins.

The baseline that other strategies are measured against: n models and T stages cost n · T.
"""

from collections.abc import Sequence

from modelstore.selection.strategy import Pruned, StageResult, Strategy


class BruteForce(Strategy):
    """Drops no model."""

    name = "brute_force"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        return []

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        return models
