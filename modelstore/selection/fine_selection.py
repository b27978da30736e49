"""Fine selection's rule: filter by the predicted final score, then halve. The loop around it is in `loop`.

Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection", Algorithm 1. From the worst
validation upward, model m is dropped if another remaining model o has a better validation, and a predicted
final score that is better by more than the threshold, relative to m's own:

    (pred(o) − pred(m)) / pred(m) > threshold.

Then the worst validations are dropped until at most half of the stage's models remain. A model without a
prediction can only be dropped by halving, and is no reason to drop another by prediction.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from modelstore.options import SelectOptions
from modelstore.selection.strategy import Pruned, StageResult, Strategy, from_worst, half, halve


@dataclass(frozen=True)
class FineSelection(Strategy):
    """Drops by predicted final score, then by validation.

    Parameters
    ----------
    threshold
        By what share of a model's own predicted score another one's must be better to drop it; 0 in the
        paper's main results.
    """

    threshold: float = 0.0
    name = "fine_selection"
    forecast = "trends"

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        return cls(options.threshold)

    @property
    def details(self) -> str:
        return f"threshold {self.threshold:g}"

    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        drops = self._filter(results, keep)
        return drops + halve(results, drops, keep)

    def _filter(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        drops: list[Pruned] = []
        ordered = from_worst(results)
        best_from = _best_predicted_from(ordered)
        for result in ordered:
            if len(ordered) - len(drops) <= keep:
                break
            best = best_from[bisect_right(ordered, result.counted, key=lambda other: other.counted)]
            if best is not None and self._outdoes(best, result):
                drops.append(
                    Pruned(
                        result.model,
                        f"predicted {result.predicted:.4f}; {best.model} is better now "
                        f"({best.counted:.4f} against {result.counted:.4f}) "
                        f"and is predicted {best.predicted:.4f}",
                    )
                )
        return drops

    def _outdoes(self, other: StageResult, result: StageResult) -> bool:
        if other.predicted is None or result.predicted is None or other.counted <= result.counted:
            return False
        # Written without the quotient, so that a predicted score of zero or below (a correlation) is compared too.
        return other.predicted - result.predicted > self.threshold * abs(result.predicted)

    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        return min(models, max(keep, half(models)))


def _best_predicted_from(ordered: Sequence[StageResult]) -> list[StageResult | None]:
    """The model of the best prediction at each place or after it, and None after the last; of equals, that of the
    better validation, then the first."""
    best: list[StageResult | None] = [None]
    for one in reversed(ordered):
        last = best[-1]
        if one.predicted is not None and (
            last is None or (one.predicted, one.counted) >= (last.predicted, last.counted)
        ):
            last = one
        best.append(last)
    return best[::-1]
