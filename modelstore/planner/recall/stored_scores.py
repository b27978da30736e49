"""The proxy scores on record for a target, as far as they still hold."""

from collections.abc import Sequence

from modelstore.data.fingerprint import fingerprint
from modelstore.planner import datasets as data
from modelstore.store import Store
from modelstore.store.catalog import Dataset


class StoredScores:
    """Loaded scores hold. A computed one does until its target is registered anew, or files of the target's or the
    model's are others; what cannot be looked at is taken to be as it was.

    ``dataset`` is None for scores to be taken as they are: where the target is not registered, and in a replay.
    """

    def __init__(self, store: Store, target: str, dataset: Dataset | None):
        self._recorded = store.proxy_scores.on(target)
        self.models = {model for model, _ in self._recorded}
        self._target = None if dataset is None else data.state_of(store, dataset)
        self._sources: dict[str | None, str | None] = {}

    def first(self, model: str, proxies: Sequence[str]) -> tuple[str, float] | None:
        """The first of the proxies that the model has a score of, and the score."""
        for proxy in proxies:
            recorded = self._recorded.get((model, proxy))
            if recorded is None:
                continue
            if recorded.source is not None and recorded.uri not in self._sources:
                self._sources[recorded.uri] = self.source_of(recorded.uri)
            if recorded.source is None or self._sources[recorded.uri] in (None, recorded.source):
                return proxy, recorded.score
        return None

    def proxies_of(self, model: str) -> list[str]:
        """The proxies on record for a model, in order."""
        return sorted({proxy for name, proxy in self._recorded if name == model})

    def source_of(self, uri: str | None) -> str | None:
        """The state of the target, and of the weights at ``uri`` now; None where one of them cannot be told."""
        weights = None if uri is None or self._target is None else fingerprint(uri, "model")
        return None if weights is None else f"{self._target} {weights}"
