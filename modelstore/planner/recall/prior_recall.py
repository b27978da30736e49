"""The recall by a prior of the store's records: of the best by it, proxies of the target tell who comes first."""

from functools import cached_property

import numpy as np

from modelstore.errors import TrainingError
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost
from modelstore.planner.recall.cluster_recall import ClusterRecall, Clusters
from modelstore.planner.recall.priors import Prior, prior_of
from modelstore.planner.recall.request import RecallRequest
from modelstore.progress import notify
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.udfs.normalise import normalise_rank

SCORED = 10  # at most, unless more are recalled


class PriorRecall(ClusterRecall):
    """Recalls by a `Prior`; the best by it, as many as Eq. 3 would score representatives, by proxies too.

    These stand at the head, by the mean of their ranks by prior and by proxy. Where every representative's score is
    on record, nobody else is scored: they stand for others, as in Eqs. 3–4, that have none of their own. Otherwise
    the best themselves are scored, and who cannot be is ranked by the prior alone. Without results to make a prior
    of, this is the paper's recall.
    """

    @cached_property
    def _prior(self) -> Prior:
        names, request = self._models.candidates.names, self._request
        return prior_of(self._context, names, request.recipe, request.target, request.options.prior)

    @property
    def _by_the_paper(self) -> bool:
        return self._request.scores and not self._prior.known

    @cached_property
    def _head(self) -> list[int]:
        """The places of the best by the prior, of whom proxies are to tell more."""
        number = min(len(self._by_clusters.scored), max(self.count, SCORED))
        if not self._request.scores or (self._request.to_train and number <= self.count):
            return []  # all of them are trained, whatever their scores are
        return [int(place) for place in np.argsort(-self._prior.scores, kind="stable")[:number]]

    @cached_property
    def _by_representatives(self) -> bool:
        """Whether the scores of others stand for some of the head: those of all representatives are on record."""
        is_stored, names = self._scoring.is_stored, self._by_clusters.candidates
        its_own = all(is_stored(names[place]) for place in self._head)
        return not its_own and all(map(is_stored, self._by_clusters.scored))

    @cached_property
    def _plan(self) -> ScoringPlan:
        """Who is scored, and who of them stands for whom of the head."""
        by_clusters = self._by_clusters
        if self._by_the_paper:
            return by_clusters
        names = by_clusters.candidates
        stands_for = {place: names[place] for place in self._head}
        if self._by_representatives:
            for place in self._head:
                number = by_clusters.source[place]
                if number >= 0 and not self._scoring.is_stored(names[place]):
                    stands_for[place] = by_clusters.scored[number]
            scored = {name for name in stands_for.values() if self._scoring.is_stored(name)}
        else:
            scored = set(stands_for.values()) - self._scoring.impossible(list(stands_for.values()))
        in_order = sorted(scored)
        number_of = {name: number for number, name in enumerate(in_order)}
        source = np.full(len(names), -1)
        for place, name in stands_for.items():
            source[place] = number_of.get(name, -1)
        return ScoringPlan(names, by_clusters.cluster, in_order, source)

    def describe(self) -> str:
        if self._by_the_paper:
            return super().describe()
        of, prior = len(self._models.candidates.names), self._prior
        how = f"{prior.name} prior{' (chosen by replay)' if prior.chosen else ''}"
        scored = ", no proxy"
        if not self._request.scores:
            scored = " alone: the budget has no room for scoring"
        elif self._plan.scored:
            scored = f", {self._scoring.describe(self._plan.scored)} of the best"
        notes = "".join(f"; {note}" for note in prior.notes)
        return f"coarse recall · top {min(self.count, of):,} of {of:,}, {how}{scored}{notes}"

    def recall(self) -> list[Recalled]:
        if self._by_the_paper:
            return super().recall()
        for note in self._prior.notes:
            notify(note)
        alone = f"the {self._prior.name} prior stands alone"
        if not self._plan.scored:
            if self._head:
                notify(f"no {', '.join(self._request.proxies)} score of the best can be had: {alone}")
            self.actual = self.expected()
            return self._ranked({})
        try:
            scored, proxy, self.actual = self._scoring.scores(self._plan.scored)
        except TrainingError as error:
            notify(f"{error}: {alone}")
            self.actual = Cost("0 scored", 0.0)
            return self._ranked({})
        return self._ranked(self._proxies_of_head(scored, proxy))

    def _proxies_of_head(self, scored: list[str], proxy: np.ndarray) -> dict[int, float]:
        """The normalised score of each place of the head that has one: its own, or by Eqs. 3–4."""
        plan, value_of = self._plan, dict(zip(scored, proxy.tolist(), strict=True))
        sources = {place: plan.scored[plan.source[place]] for place in self._head if plan.source[place] >= 0}
        found = {place: value_of[name] for place, name in sources.items() if name in value_of}
        singletons = [place for place in self._head if place not in sources]
        if self._by_representatives and singletons:
            propagated = self._propagation(plan, proxy)(np.array(singletons))
            found |= dict(zip(singletons, propagated.tolist(), strict=True))
        return found

    def _ranked(self, proxies: dict[int, float]) -> list[Recalled]:
        """The ``count`` best; those with a proxy, by their places, stand at the head."""
        plan, prior = self._plan, self._prior.scores
        places, values = np.array(list(proxies), dtype=np.intp), np.array(list(proxies.values()))
        # Between equals the proxy decides: those with the best prior were picked by it, and so partly by its luck.
        ranks = normalise_rank(prior[places]) + normalise_rank(values) * (1 + 1e-9)
        head = places[np.argsort(-ranks, kind="stable")]
        rest = np.argsort(-prior, kind="stable")
        order = np.concatenate([head, rest[~np.isin(rest, head)]])[: self.count].tolist()
        return [
            Recalled(
                rank=position,
                model=plan.candidates[place],
                cluster=int(plan.cluster[place]) or None,
                representative=plan.scored[plan.source[place]]
                if place in proxies and plan.source[place] >= 0
                else None,
                prior=float(prior[place]),
                proxy_score=proxies.get(place),
                recall_score=1.0 - (position - 1) / len(plan.candidates),
            )
            for position, place in enumerate(order, 1)
        ]


def recall_step(
    context: StatementContext, models: Models, request: RecallRequest, clusters_of: Clusters | None = None
) -> ClusterRecall:
    """The recall by the prior that the options ask for."""
    by_the_paper = request.options.prior == "mean" and request.scores
    return (ClusterRecall if by_the_paper else PriorRecall)(context, models, request, clusters_of)
