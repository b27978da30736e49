"""Says which scores on record are NaN or infinite: they count as no result."""

from collections.abc import Iterable, Sequence

from modelstore.errors import first_of
from modelstore.progress import notify
from modelstore.store import Store

NAMED = 3  # pairs that a message names before it counts the others


def notify_of_unusable(
    store: Store, recipes: Iterable[str], curves: bool = False, target: str | None = None
) -> None:
    """Says which scores that a statement leaves out are no finite numbers.

    Parameters
    ----------
    store, recipes
        Whose results are looked at.
    curves
        Whether training curves are looked at too.
    target
        The dataset whose proxy scores are looked at too; None for none.
    """
    of_recipes = list(dict.fromkeys(recipes))
    _notify(store.results.unusable(of_recipes), "benchmark_results")
    if curves:
        _notify(store.curves.unusable(of_recipes), "training_curves")
    if target is not None:
        _notify(store.proxy_scores.unusable(target), "proxy_scores")


def _notify(pairs: Sequence[tuple[str, str]], table: str) -> None:
    if not pairs:
        return
    named = first_of([f"{model} on {dataset}" for model, dataset in pairs], NAMED)
    notify(f"NaN or infinite in {table}, which counts as no result: {named}")
