"""The proxy scores of a model on a target, from its features there and its source-label probabilities."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from modelstore.errors import OptionError
from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep


def stored_names(proxy: str, regression: bool) -> tuple[str, ...]:
    """The proxies that can take the place of a requested one, the best first.

    LEEP needs a classification head: NLEEP takes its place for a model without one (see `assign`). A
    regression target has no classes: LogME takes the place of LEEP and NLEEP. Raises ``OptionError`` for a
    proxy that needs classes.
    """
    if regression:
        if proxy in ("hscore", "knn"):
            raise OptionError(f"the proxy {proxy} needs classes, and the target is a regression: use logme")
        return ("logme",)
    return ("leep", "nleep") if proxy == "leep" else (proxy,)


def computed_name(proxy: str, regression: bool, has_head: bool) -> str:
    """The proxy that is computed for a model where ``proxy`` is requested."""
    names = stored_names(proxy, regression)
    return names[0] if has_head or len(names) == 1 else names[1]


def assign(
    models: Sequence[str], stored: Mapping[str, Collection[str]], computable: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """The proxy that scores each model, among those that can take the place of a requested one.

    Parameters
    ----------
    models
        The models to score.
    stored, computable
        By proxy, the best one first, the models whose score is on record, or can be computed.

    Returns
    -------
    dict
        The proxy by model. Scores of LEEP and NLEEP do not compare, so one proxy scores all models wherever
        it can, the one with the fewest scores to compute. Otherwise each model gets its first proxy on
        record, or else the first that can be computed, or else the best one.

    Notes
    -----
    Over the 15 benchmark tasks of the validation run, the mean rank correlation with the final scores is 0.14
    for the two proxies mixed, and 0.57 for NLEEP.
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
    """The raw score by proxy, from ``features`` (n, d), ``probabilities`` (n, source labels) and ``labels`` (n,).

    ``probabilities`` is None for a model without a classification head, which LEEP cannot score.
    """
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
