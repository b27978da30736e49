"""The proxy scores on record for a target that still hold."""

from collections import Counter
from collections.abc import Sequence

from modelstore.data.fingerprint import fingerprint
from modelstore.planner.datasets import dataset_fingerprint
from modelstore.store import Store
from modelstore.store.proxy_scores import ProxyScore
from modelstore.store.registered import Dataset


class StoredScores:
    """The stored scores of models on a target that compare with each other.

    They are of the same layers. A computed score holds for the number of rows that would be computed now, and until
    the target is registered again, or until the files of the target or the model change; files that cannot be read
    count as unchanged. Loaded scores hold whatever their number of rows. Where they say different ones, those compare
    that are of as many rows as would be computed now or, where none is, as most models have a score of: and so do all
    scores where none is computed.

    Parameters
    ----------
    store
        The store.
    target
        The name of the target dataset.
    dataset
        The registered target; None to take computed scores as they are: in a replay, and where it is not registered.
    rows
        How many rows of the target a score is computed from.
    layers
        The layers that scores are of.
    """

    def __init__(self, store: Store, target: str, dataset: Dataset | None, rows: int, layers: str):
        self._rows = rows
        self._computes = dataset is not None
        self._recorded = store.proxy_scores.on(target, layers)
        self.models = {model for model, _ in self._recorded}
        self._target = None if dataset is None else dataset_fingerprint(store, dataset)
        self._sources: dict[str | None, str | None] = {}
        self._taken_rows = {
            proxy: self._rows_of_most(proxy) for proxy in {name for _, name in self._recorded}
        }

    def first(self, model: str, proxies: Sequence[str]) -> tuple[str, float] | None:
        """The first of the proxies that the model has a score of, and the score; None where it has none."""
        for proxy in proxies:
            recorded = next(
                (one for one in self._recorded.get((model, proxy), []) if self._compares(proxy, one)), None
            )
            if recorded is not None and self._holds(recorded):
                return proxy, recorded.score
        return None

    def of_other_rows(self, proxies: Sequence[str]) -> list[str]:
        """The models whose scores by one of the proxies are of other numbers of rows than those that compare."""
        return sorted(
            {
                model
                for (model, proxy), scores in self._recorded.items()
                if proxy in proxies and not any(self._compares(proxy, one) for one in scores)
            }
        )

    def _compares(self, proxy: str, score: ProxyScore) -> bool:
        """Whether a score compares with the others, and with those that would be computed now."""
        if self._computes and score.source is not None:
            return score.rows == self._rows
        return score.rows is None or score.rows == self._taken_rows[proxy]

    def _rows_of_most(self, proxy: str) -> int:
        """The number of rows of the scores that compare, but for those that must be of `rows`."""
        models = Counter(
            score.rows
            for (_, name), scores in self._recorded.items()
            for score in scores
            if name == proxy and score.rows is not None and not (self._computes and score.source is not None)
        )
        if not models or self._rows in models:
            return self._rows
        return max(models, key=lambda rows: (models[rows], rows))

    def _holds(self, score: ProxyScore) -> bool:
        """Whether what a score was computed from is as it was."""
        if score.source is None:
            return True
        if score.uri not in self._sources:
            self._sources[score.uri] = self.source_of(score.uri)
        return self._sources[score.uri] in (None, score.source)

    def proxies_of(self, model: str) -> list[str]:
        """The proxies on record for a model, in order."""
        return sorted({proxy for name, proxy in self._recorded if name == model})

    def source_of(self, uri: str | None) -> str | None:
        """What changes when the target or the weights at ``uri`` change; None where one of them cannot be read."""
        weights = None if uri is None or self._target is None else fingerprint(uri, "model")
        return None if weights is None else f"{self._target} {weights}"
