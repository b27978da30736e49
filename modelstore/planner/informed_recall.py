"""The recall by a prior of the store's records: only the best by it are scored on the target, where that can tell."""

from functools import cached_property
from typing import Any

import numpy as np

from modelstore.engine.progress import say
from modelstore.errors import TrainingError
from modelstore.planner.priors import Prior
from modelstore.planner.recalling import CoarseRecall
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.recall.complements import recalled
from modelstore.udfs.normalise import normalise_rank

SCORED = 10  # at most, unless more are recalled


class InformedRecall(CoarseRecall):
    """Recalls by a `Prior`, and by proxies of the best by it: as many as Eq. 3 would score representatives.

    The scored stand at the head, by the mean of their ranks by prior and by proxy; where the prior is
    complementary, the first of them does, and then come those that complement it. What cannot be scored is
    ranked by the prior alone, and named.
    """

    def __init__(self, prior: Prior, to_train: bool, *arguments: Any):
        super().__init__(*arguments)
        self._prior = prior
        self._to_train = to_train

    @cached_property
    def _plan(self) -> ScoringPlan:
        names = self._models.candidates.names
        found = self._clusters_of(names)
        by_eq_3 = coarse_recall.plan_scoring(names, found.cluster, found.representative, found.size).scored
        number = min(len(by_eq_3), max(self.count, SCORED), len(names))
        if self._to_train and number <= self.count:
            number = 0  # all of them are trained, whatever their scores are
        best = [names[place] for place in np.argsort(-self._prior.scores, kind="stable")[:number]]
        scored = sorted(name for name in best if name not in self._cannot_be_scored(best))
        place_of = {name: place for place, name in enumerate(scored)}
        return ScoringPlan(names, found.cluster, scored, np.array([place_of.get(name, -1) for name in names]))

    def _cannot_be_scored(self, models: list[str]) -> set[str]:
        """Those without stored scores of which none can be computed here."""
        missing = [model for model in models if not self._is_stored(model)]
        if self._replays or self._dataset is None:
            return set(missing)
        registered = self._session.store.catalog.find_models(missing)
        return {model for model in missing if model not in registered or registered[model].uri is None}

    def describe(self) -> str:
        of, prior = len(self._models.candidates.names), self._prior
        how = f"{prior.name} prior{' (chosen by replay)' if prior.chosen else ''}"
        if prior.complementary:
            how += ", complementary"
        scored = f", proxy {', '.join(self._proxies)} of the best" if self._plan.scored else ", no proxy"
        notes = "".join(f"; {note}" for note in prior.notes)
        return f"coarse recall · top {min(self.count, of):,} of {of:,}, {how}{scored}{notes}"

    def _scores(self) -> tuple[dict[str, dict[str, float | None]], int]:
        for note in self._prior.notes:
            say(note)
        if not self._plan.scored:
            if not self._to_train:
                say(
                    f"no {', '.join(self._proxies)} score can be had: the {self._prior.name} prior stands alone"
                )
            return {}, 0
        try:
            return super()._scores()
        except TrainingError as error:
            say(f"{error}: the {self._prior.name} prior stands alone")
            return {}, 0

    def _rank(self, scored: list[str], proxy: np.ndarray) -> list[Recalled]:
        names, prior = self._plan.candidates, self._prior.scores
        place_of = {name: place for place, name in enumerate(names)}
        places = np.array([place_of[name] for name in scored], dtype=np.intp)
        # Between equals the proxy decides: those with the best prior were picked by it, and so partly by its luck.
        ranks = normalise_rank(prior[places]) + normalise_rank(proxy) * (1 + 1e-9)
        head = places[np.argsort(-ranks, kind="stable")]
        if self._prior.complementary or not len(head):
            first = int(head[0]) if len(head) else None
            order = recalled(self._prior.z, prior, self.count, self._prior.complementary, first)
        else:
            rest = np.argsort(-prior, kind="stable")
            order = [*head.tolist(), *rest[~np.isin(rest, head)].tolist()]
        value = dict(zip(places.tolist(), proxy.tolist(), strict=True))
        return [
            Recalled(
                rank=position,
                model=names[place],
                cluster=int(self._plan.cluster[place]) or None,
                representative=names[place] if place in value else None,
                prior=float(prior[place]),
                proxy_score=value.get(place),
                recall_score=1.0 - (position - 1) / len(names),
            )
            for position, place in enumerate(order[: self.count], 1)
        ]
