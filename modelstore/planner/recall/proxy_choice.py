"""Which proxy scores each model: the proxy that was asked for, or one in place of it."""

from collections.abc import Collection, Mapping, Sequence

from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.stored_scores import StoredScores
from modelstore.recall.proxies import assign, computed_name, stored_names
from modelstore.store import Store
from modelstore.store.registered import Model
from modelstore.tasks import CLASS, NUMBER, TAGS, target_of

ProxyNames = Mapping[str, str]  # by proxy asked for, the proxy that is used
RawScores = dict[str, float]  # by proxy asked for


class ProxyChoice:
    """Chooses among the proxies on record and those that can be computed here.

    Parameters
    ----------
    store
        The store.
    request
        What the recall asks for.
    stored
        The scores on record.
    """

    def __init__(self, store: Store, request: RecallRequest, stored: StoredScores):
        self._catalog = store.catalog
        self._request = request
        self._stored = stored
        self.target = CLASS if request.dataset is None else target_of(request.dataset.task)

    def is_stored(self, model: str) -> bool:
        """Whether every score that is asked for, or one in place of it, is on record."""
        return model in self._stored.models and all(
            self._stored.first(model, stored_names(proxy, self.target)) for proxy in self._request.proxies
        )

    def impossible(self, models: Sequence[str]) -> set[str]:
        """The models that lack a stored score and cannot be scored here."""
        missing = [model for model in models if not self.is_stored(model)]
        return set(missing).difference(self.scorable(missing))

    def scorable(self, models: Sequence[str]) -> dict[str, Model]:
        """Those of the models that can be scored here, by name."""
        if self._request.replays or self._request.dataset is None:
            return {}
        registered = self._catalog.find_models(list(models))
        return {name: model for name, model in registered.items() if model.uri is not None}

    def used(self, models: Sequence[str]) -> dict[str, ProxyNames]:
        """The proxies that score each model, by model."""
        used: dict[str, dict[str, str]] = {model: {} for model in models}
        for proxy in self._request.proxies:
            names = stored_names(proxy, self.target)
            stored = {name: [m for m in models if self._stored.first(m, (name,))] for name in names}
            computable: dict[str, Collection[str]] = dict.fromkeys(names, ())
            if max(map(len, stored.values())) < len(models):
                computable = self._computable(names, models)
            for model, name in assign(models, stored, computable).items():
                used[model][proxy] = name
        return dict(used)

    def _computable(self, names: Sequence[str], models: Sequence[str]) -> dict[str, Collection[str]]:
        """The models for which each proxy can be computed here, by proxy."""
        weights = self.scorable(models)
        headless = self._catalog.without_head(list(weights))
        needs_head = {name for name in names if computed_name(name, self.target, has_head=False) != name}
        return {name: weights.keys() - headless if name in needs_head else weights.keys() for name in names}

    def on_record(self, model: str, names: ProxyNames) -> RawScores:
        """Those of the model's scores by the proxies in use that are on record."""
        found = {proxy: self._stored.first(model, (name,)) for proxy, name in names.items()}
        return {proxy: score[1] for proxy, score in found.items() if score}

    def why_in_place(self, models: Sequence[str]) -> str:
        """Why another proxy is used for the models than was asked for."""
        if self.target is NUMBER:
            return "the target is a regression"
        if self.target is TAGS:
            return "the target's labels are of tokens"
        if self._catalog.without_head(list(models)).issuperset(models):
            return "no classification head"
        return "not all have a classification head"


def in_place(used: Mapping[str, ProxyNames]) -> dict[tuple[str, str], list[str]]:
    """The models scored by another proxy than was asked for, by (proxy asked for, proxy used)."""
    found: dict[tuple[str, str], list[str]] = {}
    for model, names in used.items():
        for asked, name in names.items():
            if name != asked:
                found.setdefault((asked, name), []).append(model)
    return found
