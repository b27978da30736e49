"""The proxy scores of a model on a target, from its features there and its source-label probabilities."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelstore.errors import OptionError
from modelstore.tasks import NUMBER, TAGS, Target
from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep


@dataclass(frozen=True)
class Measured:
    """What one model gives for n rows of the target.

    Parameters
    ----------
    features
        (n, d), the pooled last hidden state; of tokens, that of their first pieces.
    probabilities
        (n, source labels); None for a model without a classification head.
    labels
        (n,), class ids, or the numbers of a regression; or (n, labels) booleans, which labels each row has.
    regression
        Whether the target is a regression.
    by_layer
        Each layer's features, (n, d) each, where a proxy's best score over the layers counts.
    """

    features: np.ndarray
    probabilities: np.ndarray | None
    labels: np.ndarray
    regression: bool
    by_layer: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Proxy:
    """A proxy: its formula, and which proxy takes its place where it cannot score.

    Parameters
    ----------
    score
        The raw score of a model.
    without_head
        What takes its place for a model without a classification head; None: it needs no head.
    on_regression
        What takes its place on a regression target; None: it needs classes, and is refused.
    """

    score: Callable[[Measured], float]
    without_head: str | None = None
    on_regression: str | None = None

    @property
    def reads_features(self) -> bool:
        """Whether it scores features, which each layer has, and not the head's probabilities."""
        return self.without_head is None

    def best(self, measured: Measured) -> float:
        """The raw score of a model: the best over its layers, where it is measured by layer."""
        layers = [measured.features]
        if self.reads_features:
            layers += [layer for layer in measured.by_layer if not np.array_equal(layer, measured.features)]
        return max(self.score(replace(measured, features=layer)) for layer in layers)


def _leep(measured: Measured) -> float:
    assert measured.probabilities is not None  # models without a head have another proxy in its place
    return leep(measured.probabilities, measured.labels)


# Each proxy of `modelstore.options.PROXIES`.
PROXIES: Mapping[str, Proxy] = {
    "leep": Proxy(_leep, without_head="nleep", on_regression="logme"),
    "nleep": Proxy(lambda measured: nleep(measured.features, measured.labels), on_regression="logme"),
    "logme": Proxy(
        lambda measured: logme(measured.features, measured.labels, regression=measured.regression),
        on_regression="logme",
    ),
    "hscore": Proxy(lambda measured: hscore(measured.features, measured.labels)),
    "knn": Proxy(lambda measured: knn_accuracy(measured.features, measured.labels)),
}


def stored_names(proxy: str, target: Target) -> tuple[str, ...]:
    """The proxies that can take the place of a requested one for a target, the best first.

    Raises
    ------
    OptionError
        The proxy needs classes, and the target is a regression.
    """
    described = PROXIES[proxy]
    if target is NUMBER:
        if described.on_regression is None:
            raise OptionError(f"the proxy {proxy} needs classes, and the target is a regression: use logme")
        return (described.on_regression,)
    if described.without_head is None:
        return (proxy,)
    # A classifier of texts says nothing of tokens.
    return (described.without_head,) if target is TAGS else (proxy, described.without_head)


def computed_name(proxy: str, target: Target, has_head: bool) -> str:
    """The proxy that is computed for a model where ``proxy`` is requested."""
    names = stored_names(proxy, target)
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


def compute(names: Sequence[str], measured: Measured) -> dict[str, float]:
    """The raw score of a model by each of some proxies."""
    return {name: PROXIES[name].best(measured) for name in names}
