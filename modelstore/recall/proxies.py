"""A model's proxy scores on a target, from its features and source-label probabilities there."""

from collections.abc import Sequence

import numpy as np

from modelstore.errors import OptionError
from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep


def stored_names(proxy: str, regression: bool) -> tuple[str, ...]:
    """The proxies that answer for a requested one, best first.

    LEEP needs a classification head, and is NLEEP for a model without one; a regression target has no
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
