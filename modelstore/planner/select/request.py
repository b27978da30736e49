"""What a SELECT BEST asks for."""

from dataclasses import dataclass
from typing import Any

from modelstore.planner.recipes import Recipe
from modelstore.selection.budget import Budget
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import (
    BOUND,
    BOUND_WITHIN_BUDGET,
    ProbabilityOfImprovement,
)
from modelstore.selection.strategies import BY_NAME
from modelstore.selection.strategy import Strategy
from modelstore.store.catalog import Dataset


@dataclass(frozen=True)
class Request:
    """What a SELECT BEST asks for: the ``count`` best models for ``target``, of every option's value.

    ``dataset`` is the target where it is registered.
    """

    method: str
    target: str
    dataset: Dataset | None
    count: int
    recipe: Recipe
    options: dict[str, Any]

    @property
    def trains(self) -> bool:
        """Whether it trains models, and does not replay records."""
        return bool(self.options["executor"] == "torch")

    @property
    def stages(self) -> int:
        return int(self.recipe.options.epochs * self.options["stages_per_epoch"])

    @property
    def budget(self) -> Budget:
        return Budget(self.options["budget_epochs"], self.options["budget_seconds"])

    @property
    def stage_epochs(self) -> float:
        return 1 / float(self.options["stages_per_epoch"])

    @property
    def finishing(self) -> float:
        """The epochs that it takes to train as many models as are wanted to the end."""
        return self.count * self.stages * self.stage_epochs

    @property
    def strategy(self) -> Strategy:
        if self.method in ("two_phase", FineSelection.name):
            return FineSelection(self.options["threshold"])
        if self.method == ProbabilityOfImprovement.name:
            return ProbabilityOfImprovement(BOUND_WITHIN_BUDGET if self.budget else BOUND)
        return BY_NAME[self.method]()
