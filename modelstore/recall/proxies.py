"""A model's proxy scores on a target, from its features and source-label probabilities there."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from modelstore.errors import OptionError
from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep


def stored_names(proxy: str, regression: bool) -> tuple[str, ...]:
    """The proxies that answer for a requested one, best first.

    LEEP needs a classification head, and is NLEEP where a model has none (see `assign`); a regression target has no
    classes, and LEEP and NLEEP are LogME there. Raises ``OptionError`` for one that cannot be had.
    """
    if regression:
        if proxy in ("hscore", "knn"):
            raise OptionError(f"the proxy {proxy} needs classes, and the target is a regression: use logme")
        return ("logme",)
    return ("leep", "nleep") if proxy == "leep" else (proxy,)


def computed_name(proxy: str, regression: bool, has_head: bool) -> str:
    """Which proxy is computed for a model where ``proxy`` is asked for."""
    names = stored_names(proxy, regression)
    return names[0] if has_head or len(names) == 1 else names[1]


def assign(
    models: Sequence[str], stored: Mapping[str, Collection[str]], computable: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Which of the proxies that answer for a requested one scores each model.

    ``stored`` and ``computable`` name the models by proxy, the best proxy first. Scores of LEEP and of NLEEP do not
    compare, so that all models are scored by one wherever all can have it, by that of fewest to compute: over the 15
    benchmark tasks of the validation run, the mean rank correlation with the final scores is 0.14 for the two mixed
    and 0.57 for NLEEP. Otherwise each is scored by its first that is on record, or that can be computed, or the best.
    """
    missing = {name: set(models).difference(stored[name]) for name in stored}
    of_all = [name for name in stored if missing[name].issubset(computable[name])]
    if of_all:
        return dict.fromkeys(models, min(of_all, key=lambda name: len(missing[name])))
    return {
        model: next(
            (name for having in (stored, computable) for name in having if model in having[name]),
            next(iter(stored)),
        )
        for model in models
    }


def compute(
    names: Sequence[str],
    features: np.ndarray,
    probabilities: np.ndarray | None,
    labels: np.ndarray,
    regression: bool,
) -> dict[str, float]:
    """Raw scores by proxy: ``features`` (n, d), ``probabilities`` (n, source labels), ``labels`` (n,)."""
    scores: dict[str, float] = {}
    for name in names:
        if name == "leep":
            assert probabilities is not None
            scores[name] = leep(probabilities, labels)
        elif name == "nleep":
            scores[name] = nleep(features, labels)
        elif name == "logme":
            scores[name] = logme(features, labels, regression=regression)
        elif name == "hscore":
            scores[name] = hscore(features, labels)
        else:
            scores[name] = knn_accuracy(features, labels)
    return scores
