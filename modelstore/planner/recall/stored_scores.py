"""The proxy scores on record for a target that still hold."""

from collections.abc import Sequence

from modelstore.data.fingerprint import fingerprint
from modelstore.planner.datasets import dataset_fingerprint
from modelstore.store import Store
from modelstore.store.catalog import Dataset
from modelstore.store.proxy_scores import ProxyScore


class StoredScores:
    """The stored scores of models on a target.

    Loaded scores always hold. A computed score holds for the number of rows that it was computed from, and until the
    target is registered again, or until the files of the target or the model change; files that cannot be read count
    as unchanged.

    Parameters
    ----------
    store
        The store.
    target
        The name of the target dataset.
    dataset
        The registered target; None to take all scores as they are: in a replay, and where it is not registered.
    rows
        How many rows of the target a score is computed from; None: any number.
    """

    def __init__(self, store: Store, target: str, dataset: Dataset | None, rows: int | None):
        self._rows = rows
        self._recorded = store.proxy_scores.on(target)
        self.models = {model for model, _ in self._recorded}
        self._target = None if dataset is None else dataset_fingerprint(store, dataset)
        self._sources: dict[str | None, str | None] = {}

    def first(self, model: str, proxies: Sequence[str]) -> tuple[str, float] | None:
        """The first of the proxies that the model has a score of, and the score; None where it has none."""
        for proxy in proxies:
            recorded = self._recorded.get((model, proxy))
            if recorded is None or not self._has_rows(recorded):
                continue
            if recorded.source is not None and recorded.uri not in self._sources:
                self._sources[recorded.uri] = self.source_of(recorded.uri)
            if recorded.source is None or self._sources[recorded.uri] in (None, recorded.source):
                return proxy, recorded.score
        return None

    def _has_rows(self, score: ProxyScore) -> bool:
        """Whether a score compares with those that would be computed now."""
        return score.source is None or self._rows is None or score.rows == self._rows

    def proxies_of(self, model: str) -> list[str]:
        """The proxies on record for a model, in order."""
        return sorted({proxy for name, proxy in self._recorded if name == model})

    def source_of(self, uri: str | None) -> str | None:
        """What changes when the target or the weights at ``uri`` change; None where one of them cannot be read."""
        weights = None if uri is None or self._target is None else fingerprint(uri, "model")
        return None if weights is None else f"{self._target} {weights}"
