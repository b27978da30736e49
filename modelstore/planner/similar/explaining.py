"""What EXPLAIN says of a target that has results: which datasets on record put models in the same order."""

from collections.abc import Sequence

from modelstore.planner.plan import Cost, Step, counted
from modelstore.planner.similar.plan import Similar, alike_by_results
from modelstore.store import Store

_NAMED = 3


class MostAlike(Step):
    """The datasets that are most like a target by results; it runs nothing."""

    def __init__(self, found: Sequence[Similar]):
        self._found = sorted(found, key=lambda one: (-one.similarity, one.dataset))

    def describe(self) -> str:
        listed = ", ".join(f"{one.dataset} {one.similarity:.2f}" for one in self._found[:_NAMED])
        return f"most alike by results · {listed}"

    def expected(self) -> Cost:
        return Cost(f"of {counted(len(self._found), 'dataset')}")


def most_alike(store: Store, recipes: Sequence[str], target: str) -> tuple[Step, ...]:
    """The note on the datasets that are most like a target; none where too few models have results on it."""
    found = alike_by_results(store, recipes, target)
    return (MostAlike(found),) if found else ()
