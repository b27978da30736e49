"""The interface of a selection strategy: which models are dropped after a stage, and why."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from modelstore.options import SelectOptions
from modelstore.selection.stage_ends import StageEnds


@dataclass(frozen=True)
class StageResult:
    """A model after a stage.

    Parameters
    ----------
    model
        Its name.
    validation
        Its score on the validation split after the stage.
    recall_score
        Its score in the recall, which breaks ties.
    predicted
        Its predicted final score; None where nothing predicts one.
    deviation
        The standard deviation of the prediction; None where the prediction has none.
    value
        What an epoch more of it is worth, in score; None where nothing says so.
    best
        Its best score on the validation split so far, where its best point is the one that counts; otherwise None.
    learning_rate
        The one that it trains at; None where it is not on record.
    """

    model: str
    validation: float
    recall_score: float = 0.0
    predicted: float | None = None
    deviation: float | None = None
    value: float | None = None
    best: float | None = None
    learning_rate: float | None = None

    @property
    def counted(self) -> float:
        """The validation score that the model is judged by: that of the point that counts."""
        return self.validation if self.best is None else self.best


@dataclass(frozen=True)
class Prediction:
    """A final score; where they are known its standard deviation, and what an epoch more is worth in score."""

    score: float
    deviation: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class Pruned:
    """A model that a strategy drops, and the reason."""

    model: str
    reason: str


class Strategy(ABC):
    """Ranks and drops models after each stage, and says of itself what the planner has to know.

    Attributes
    ----------
    name
        What users type after USING.
    recalls
        Whether models are recalled first, and only the best of them trained.
    epochs_a_score
        What scoring a model in that recall counts as, in epochs; None: by the rows that it takes.
    forecast
        What its predictions are made from: ``'trends'``, each model's own convergence trends; ``'pooled'``,
        the records of all models together; ``'race'``, those and the points that are to come; None where it
        needs none.
    shares_budget
        Whether each stage takes no more than its share of a budget.
    stages_grow
        Whether stages grow where the statement does not say where they end.
    """

    name: ClassVar[str]
    recalls: ClassVar[bool] = False
    epochs_a_score: ClassVar[float | None] = None
    forecast: ClassVar[Literal["trends", "pooled", "race"] | None] = None
    shares_budget: ClassVar[bool] = False
    stages_grow: ClassVar[bool] = False

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        """The strategy with a statement's options."""
        return cls()

    def informed(self, datasets: int) -> Self:
        """The strategy where so many datasets with curves are on record."""
        return self

    @property
    def judges_by(self) -> str:
        """What the best model is chosen by in the end, in one word."""
        return "validation"

    @property
    def title(self) -> str:
        """What EXPLAIN calls the training."""
        return self.name.replace("_", " ")

    @property
    def details(self) -> str:
        """The values of the strategy's options, for EXPLAIN; empty where it has none."""
        return ""

    @abstractmethod
    def drop(self, results: Sequence[StageResult], keep: int) -> list[Pruned]:
        """The models to drop after a stage; ``keep`` at least stay. ``results`` are in any order."""

    @abstractmethod
    def survivors(self, models: int, keep: int, stage: int = 1) -> int:
        """How many of so many models are expected to stay after a stage: an estimate for the planner."""

    def merit(self, result: StageResult) -> float:
        """The score by which `rank` ranks a model."""
        return result.counted

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        """The best first, as they win at the end."""
        return by_validation(results)

    def turns(self, results: Sequence[StageResult], keep: int) -> list[StageResult]:
        """In the order in which models get their turns in the next stage: a budget may end before the last."""
        return self.rank(results)


def expected_epochs(strategy: Strategy, models: int, done: int, stages: StageEnds, keep: int) -> float:
    """The epochs that ``models`` models are expected to train after the stages ``done``."""
    epochs = 0.0
    for stage in range(done + 1, stages.count + 1):
        epochs += models * stages.length(stage)
        models = strategy.survivors(models, keep, stage)
    return epochs


def from_worst(results: Sequence[StageResult]) -> list[StageResult]:
    """By validation, the worst first; a tie goes to the better recall score, then to the first name."""
    by_name = sorted(results, key=lambda result: result.model, reverse=True)
    return sorted(by_name, key=lambda result: (result.counted, result.recall_score))


def by_validation(results: Sequence[StageResult]) -> list[StageResult]:
    """By validation, the best first; ties as in `from_worst`."""
    return from_worst(results)[::-1]


def why_in_worse_half(result: StageResult) -> str:
    """Why a model is dropped that validates worse than half of the others."""
    return f"validation {result.counted:.4f} is in the worse half"


def halve(results: Sequence[StageResult], dropped: Sequence[Pruned], keep: int) -> list[Pruned]:
    """Algorithm 1, lines 8-10: drops the worst validation until at most half of the stage's models remain."""
    gone = {drop.model for drop in dropped}
    remaining = [result for result in from_worst(results) if result.model not in gone]
    allowed = max(keep, half(len(results)))
    return [
        Pruned(result.model, why_in_worse_half(result))
        for result in remaining[: max(0, len(remaining) - allowed)]
    ]


def half(models: int) -> int:
    """How many of a stage's models remain at most: ⌊n / 2⌋, and one at least."""
    return max(1, math.floor(models / 2))
