"""Fine selection (Cui et al., Algorithm 1): filter by the predicted final score, then halve.

From the worst validation upward, model m is dropped if another remaining model o has a better
validation and a predicted final score better by more than the threshold, relative to m's own:
(pred(o) − pred(m)) / pred(m) > threshold. Then the worst validations go until at most half of the
stage's models remain. A model with no prediction can only be halved away, and drops nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modelstore.selection.strategy import Pruned, StageResult, by_validation, from_worst, half, halve


@dataclass(frozen=True)
class FineSelection:
    """``threshold`` is a share of a model's own predicted score (0 in the paper's main results)."""

    threshold: float = 0.0
    name = "fine_selection"
    predicts = True
    judges_by = "validation"

    def drop(self, standings: Sequence[StageResult], keep: int) -> list[Pruned]:
        drops = self._filter(standings, keep)
        return drops + halve(standings, drops, keep)

    def _filter(self, standings: Sequence[StageResult], keep: int) -> list[Pruned]:
        drops: list[Pruned] = []
        ordered = from_worst(standings)
        for position, standing in enumerate(ordered):
            if len(ordered) - len(drops) <= keep:
                break
            better = [other for other in ordered[position + 1 :] if self._outdoes(other, standing)]
            if better:
                best = max(better, key=lambda other: (other.predicted or 0.0, other.validation))
                drops.append(
                    Pruned(
                        standing.model,
                        f"predicted {standing.predicted:.4f}; {best.model} is better now "
                        f"({best.validation:.4f} against {standing.validation:.4f}) "
                        f"and is predicted {best.predicted:.4f}",
                    )
                )
        return drops

    def _outdoes(self, other: StageResult, standing: StageResult) -> bool:
        if other.predicted is None or standing.predicted is None or other.validation <= standing.validation:
            return False
        # Written without the quotient, so that a predicted score of zero or below (a correlation) is compared too.
        return other.predicted - standing.predicted > self.threshold * abs(standing.predicted)

    def rank(self, standings: Sequence[StageResult]) -> list[StageResult]:
        return by_validation(standings)

    def survivors(self, models: int, keep: int) -> int:
        return min(models, max(keep, half(models)))
