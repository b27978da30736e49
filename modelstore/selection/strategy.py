"""The interface of a selection strategy: who is dropped after a stage, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StageResult:
    """A model after a stage: its validation score there, and the final score predicted for it, if any.

    ``deviation`` is the standard deviation of what is predicted, where the prediction says how sure it is.
    """

    model: str
    validation: float
    recall_score: float = 0.0
    predicted: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Prediction:
    """A final score, and its standard deviation where that is known."""

    score: float
    deviation: float | None = None


@dataclass(frozen=True)
class Pruned:
    model: str
    reason: str


class Strategy(Protocol):
    """``name`` is what users type; ``predicts`` says whether it needs final scores predicted.

    ``judges_by`` says in a word what the best is chosen by at the end.
    """

    name: str
    predicts: bool
    judges_by: str

    def drop(self, standings: Sequence[StageResult], keep: int) -> list[Pruned]:
        """Who goes after a stage, at least ``keep`` staying; ``standings`` come in any order."""
        ...

    def rank(self, standings: Sequence[StageResult]) -> list[StageResult]:
        """Best first: in this order they get their turns in the next stage, and win at the end."""
        ...

    def survivors(self, models: int, keep: int) -> int:
        """How many of so many models are expected to stay after a stage: the planner's estimate."""
        ...


def from_worst(standings: Sequence[StageResult]) -> list[StageResult]:
    """By validation, worst first; a tie goes to the better recall score, then to the first name."""
    by_name = sorted(standings, key=lambda standing: standing.model, reverse=True)
    return sorted(by_name, key=lambda standing: (standing.validation, standing.recall_score))


def by_validation(standings: Sequence[StageResult]) -> list[StageResult]:
    """Best validation first, as `from_worst` breaks ties."""
    return from_worst(standings)[::-1]


def halve(standings: Sequence[StageResult], dropped: Sequence[Pruned], keep: int) -> list[Pruned]:
    """Algorithm 1, lines 8–10: drops the worst validation until at most half of the stage's models remain."""
    gone = {drop.model for drop in dropped}
    remaining = [standing for standing in from_worst(standings) if standing.model not in gone]
    allowed = max(keep, half(len(standings)))
    return [
        Pruned(standing.model, f"validation {standing.validation:.4f} is in the worse half")
        for standing in remaining[: max(0, len(remaining) - allowed)]
    ]


def half(models: int) -> int:
    """How many of a stage's models remain at most: ⌊n / 2⌋, and one at least."""
    return max(1, math.floor(models / 2))
