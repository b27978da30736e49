"""Says where scores on record look like per cent: distances, prices and noise are those of shares of 1."""

from collections.abc import Sequence

from modelstore.errors import first_of
from modelstore.planner.plan import counted
from modelstore.progress import notify
from modelstore.sql_text import literal
from modelstore.store import Store

NAMED = 5  # datasets that a message names before it counts the others


def notify_of_per_cent(store: Store, recipe: str, effect: str = "", curves: bool = False) -> bool:
    """Says which datasets have scores in per cent, and how to divide them by 100.

    Parameters
    ----------
    store, recipe
        Whose results are looked at.
    effect
        What it spoils, in a few words.
    curves
        Whether training curves are looked at too.

    Returns
    -------
    bool
        Whether there are such results.
    """
    found = store.units.results_in_per_cent(recipe)
    if found:
        _notify(store, found, "benchmark_results", ("score",), recipe, effect)
    if curves and (on_curves := store.units.curves_in_per_cent(recipe)):
        _notify(store, on_curves, "training_curves", ("validation", "test"), recipe, effect)
    return bool(found)


def _notify(
    store: Store, datasets: Sequence[str], table: str, columns: Sequence[str], recipe: str, effect: str
) -> None:
    named = first_of(datasets, NAMED)
    listed = ", ".join(map(literal, datasets))
    divided = ", ".join(f"{column} = {column} / 100" for column in columns)
    spoilt = f": {effect}" if effect else ""
    mixed = ""
    if shares := store.units.shares_among(table, columns[0], datasets, recipe):
        count, model, dataset, score = shares
        mixed = (
            f"; {counted(count, 'score')} there {'is' if count == 1 else 'are'} at most 1 (the first: {score:.4g}, "
            f"of {model} on {dataset}): if these are shares already, add AND abs({columns[0]}) > 1"
        )
    number = counted(len(datasets), "dataset")
    notify(
        f"scores of {number} in {table} exceed 1 and look like per cent ({named}){spoilt}{mixed}; for shares of 1, "
        f"UPDATE {table} SET {divided} WHERE "
        f"coalesce(recipe, 'default') = {literal(recipe)} AND dataset IN ({listed})"
    )
