"""The leaves of every plan: the candidates that FROM and WHERE name, and the recipes that they train by."""

from collections.abc import Sequence

from modelstore.planner.candidates import Candidates
from modelstore.planner.plan import Cost, Step


class Models(Step):
    """The candidates. They are read before the plan is made, since their number decides what comes next."""

    def __init__(self, candidates: Candidates):
        self.candidates = candidates
        self.actual = self.expected()

    @property
    def inputs(self) -> tuple[Step, ...]:
        return self.candidates.sources

    def describe(self) -> str:
        return self.candidates.description

    def expected(self) -> Cost:
        return Cost(f"{len(self.candidates.names):,}")


class RecipesStep(Step):
    """The recipes that compete, as a leaf of a plan."""

    def __init__(self, recipes: Sequence[str]):
        self._recipes = recipes
        self.actual = self.expected()

    def describe(self) -> str:
        return f"recipes · {', '.join(self._recipes)}"

    def expected(self) -> Cost:
        return Cost(f"{len(self._recipes)}")


def competing(source: Step, recipes: Sequence[str]) -> tuple[Step, ...]:
    """The inputs of a step that trains models: where they come from and, where several compete, the recipes."""
    return (source,) if len(recipes) == 1 else (source, RecipesStep(recipes))
