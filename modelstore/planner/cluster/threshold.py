"""The threshold of hierarchical clustering: the one that is given, or the one that silhouette finds."""

from typing import Literal

import numpy as np

from modelstore.options import DEFAULT_THRESHOLD
from modelstore.planner.plan import counted
from modelstore.progress import notify
from modelstore.recall.best_cut import find_best_cut
from modelstore.recall.distances import Distances

# A threshold does not fit where such a share of the models, which are not few, are alone, or so many are together.
FEW, ALONE, ONE_CLUSTER = 3, 0.95, 20


def find_threshold(distances: Distances, threshold: float | Literal["auto"]) -> tuple[float, str]:
    """Where average linkage is cut, and which threshold ``'auto'`` takes and why; of a given one there is no text."""
    if threshold != "auto":
        return threshold, ""
    found = find_best_cut(distances)
    if found is None:
        why = f"no threshold has a silhouette among these models: {DEFAULT_THRESHOLD:g} is taken"
        return DEFAULT_THRESHOLD, why
    models = len(distances)
    among = f"of {found.models:,} of the {models:,} models" if found.models < models else "of the dendrogram"
    why = (
        f"threshold {found.threshold:g} is taken: of {counted(found.cuts, 'cut')} {among} it has the greatest mean "
        f"silhouette, {found.silhouette:.3f}"
    )
    return found.threshold, why


def choose_threshold(distances: Distances, threshold: float | Literal["auto"]) -> float:
    """Where average linkage is cut. Says which threshold ``'auto'`` takes, and why."""
    chosen, why = find_threshold(distances, threshold)
    if why:
        notify(why)
    return chosen


def notify_of_misfit(sizes: np.ndarray, threshold: float) -> None:
    """Says where a threshold tells nearly all models apart, or none; ``sizes`` (clusters,) are those it gave."""
    models, singletons = int(sizes.sum()), int((sizes == 1).sum())
    if models >= FEW and singletons >= ALONE * models:
        found = f"{singletons:,} of the {models:,} models are clusters of their own"
    elif len(sizes) == 1 and models > ONE_CLUSTER:
        found = f"all {models:,} models are one cluster"
    else:
        return
    notify(
        f"threshold {threshold:g} does not fit: {found}; WITH (threshold = 'auto') takes one that fits the models"
    )
