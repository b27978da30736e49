"""Says what is odd about the records that a statement reads."""

from collections.abc import Sequence

from modelstore.planner.doubts import notify_of_doubts
from modelstore.planner.per_cent import notify_of_per_cent
from modelstore.planner.unusable_scores import notify_of_unusable
from modelstore.store import Store


def notify_of_records(
    store: Store, recipes: Sequence[str], curves: bool = False, target: str | None = None
) -> None:
    """Says which records are in per cent, would be taken for what they are not, or are no finite numbers.

    Parameters
    ----------
    store, recipes
        Whose results are looked at.
    curves
        Whether training curves are looked at too.
    target
        The dataset whose proxy scores are looked at too; None for none.
    """
    for recipe in recipes:
        notify_of_per_cent(store, recipe, curves=curves)
        notify_of_doubts(store, recipe, curves)
    notify_of_unusable(store, recipes, curves, target)
