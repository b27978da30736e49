"""Says where records that people have loaded would be taken for what they are not."""

from modelstore.planner.plan import counted
from modelstore.progress import notify
from modelstore.store import Store
from modelstore.store.doubts import Repeated


def notify_of_doubts(store: Store, recipe: str, curves: bool = False) -> None:
    """Says once what is averaged, compared or ranked that should not be.

    Parameters
    ----------
    store, recipe
        Whose results are looked at.
    curves
        Whether training curves are looked at too.
    """
    doubts = store.doubts
    if repeated := doubts.repeated_results(recipe):
        notify(
            f"{_have(repeated)} several results in benchmark_results that no seed tells apart{_example(repeated)}: "
            "each counts as their mean; if they are of different settings, give each setting a recipe of its own"
        )
    if mixed := doubts.mixed_metrics(recipe):
        dataset, metrics = next(iter(mixed.items()))
        notify(
            f"results on {counted(len(mixed), 'dataset')} have several metrics ({dataset}: {', '.join(metrics)}) and "
            "are compared with each other: keep one, or give each metric a recipe of its own"
        )
    if losses := doubts.losses(recipe):
        notify(
            f"results of {', '.join(losses)} are less where a model is better, and more is taken for better here: "
            "store them with a minus"
        )
    if not curves:
        return
    if repeated := doubts.repeated_points(recipe):
        notify(
            f"{_have(repeated)} several points at one epoch in training_curves that no seed tells apart"
            f"{_example(repeated)}: each counts as their mean; if they are of several runs, give each its seed"
        )
    if found := doubts.curves_from_zero(recipe):
        runs, model, dataset = found
        notify(
            f"the stages of {counted(runs, 'curve')} in training_curves begin at 0 (the first: {model} on {dataset}) "
            "and stages count from 1: where stage 0 is the first epoch, add 1 to the stages; where it is before "
            "training, delete it"
        )


def _have(repeated: Repeated) -> str:
    return f"{counted(repeated.pairs, 'pair')} {'has' if repeated.pairs == 1 else 'have'}"


def _example(repeated: Repeated) -> str:
    return f" ({repeated.model} on {repeated.dataset}: {repeated.low:.4g} to {repeated.high:.4g})"
