"""The leaf of every plan: the candidates that FROM and WHERE name."""

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
