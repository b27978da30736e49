"""The recall by a prior of the store's records, with proxy scores of the best candidates by it."""

from functools import cached_property

import numpy as np

from modelstore.errors import TrainingError
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost
from modelstore.planner.recall.prior import Prior
from modelstore.planner.recall.representatives import propagation
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.scoring import ScoredModels, Scoring
from modelstore.progress import notify
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.udfs.normalise import normalise_rank

SCORED = 10  # at most, unless more models are recalled


class PriorRecall:
    """Ranks candidates by a prior; the best by it, as many as there are representatives, by proxy scores too.

    These lead, in order of the mean of their ranks by prior and by proxy. Where the scores of all representatives are
    on record, no other model is scored: a representative's score stands for the members of its cluster that have none
    of their own, as in Eqs. 3–4 of Cui et al. Otherwise the best candidates themselves are scored. A candidate
    without any score is ranked by the prior alone.

    Parameters
    ----------
    context
        The statement's context.
    request
        What is asked for.
    representatives
        The representatives of the candidates' clusters.
    prior
        The prior of the candidates.
    """

    def __init__(
        self,
        context: StatementContext,
        request: RecallRequest,
        representatives: ScoringPlan,
        prior: Prior,
    ):
        self._results = context.store.results
        self._request = request
        self._representatives = representatives
        self._prior = prior
        self._scoring = Scoring(context, request)

    @cached_property
    def _best(self) -> list[int]:
        """The places of the best candidates by the prior, which have proxy scores too."""
        number = min(len(self._representatives.scored), max(self._request.count, SCORED))
        if not self._request.scores or (self._request.to_train and number <= self._request.count):
            return []  # all of them are trained, whatever their scores
        return [int(place) for place in np.argsort(-self._prior.scores, kind="stable")[:number]]

    @cached_property
    def _by_representatives(self) -> bool:
        """Whether representatives stand for some of the best: all of their scores are on record."""
        is_stored, names = self._scoring.proxies.is_stored, self._representatives.candidates
        all_have_their_own = all(is_stored(names[place]) for place in self._best)
        return not all_have_their_own and all(map(is_stored, self._representatives.scored))

    @cached_property
    def _plan(self) -> ScoringPlan:
        """Which models are scored, and which of the best candidates each stands for."""
        representatives, proxies = self._representatives, self._scoring.proxies
        names = representatives.candidates
        stands_for = {place: names[place] for place in self._best}
        if self._by_representatives:
            for place in self._best:
                number = representatives.source[place]
                if number >= 0 and not proxies.is_stored(names[place]):
                    stands_for[place] = representatives.scored[number]
            scored = {name for name in stands_for.values() if proxies.is_stored(name)}
        else:
            scored = set(stands_for.values()) - proxies.impossible(list(stands_for.values()))
        in_order = sorted(scored)
        number_of = {name: number for number, name in enumerate(in_order)}
        source = np.full(len(names), -1)
        for place, name in stands_for.items():
            source[place] = number_of.get(name, -1)
        return ScoringPlan(names, representatives.cluster, in_order, source)

    def describe(self) -> str:
        prior = self._prior
        how = f"{prior.name} prior{' (chosen by replay)' if prior.chosen else ''}"
        scored = ", no proxy"
        if not self._request.scores:
            scored = f" alone: {self._request.why_unscored}"
        elif self._plan.scored:
            scored = f", {self._scoring.describe(self._plan.scored)} of the best"
        return f"{how}{scored}{''.join(f'; {note}' for note in prior.notes)}"

    def expected(self) -> Cost:
        return self._scoring.expected(self._plan.scored)

    def recall(self) -> tuple[list[Recalled], Cost]:
        for note in self._prior.notes:
            notify(note)
        alone = f"the {self._prior.name} prior stands alone"
        if not self._plan.scored:
            if self._best:
                notify(f"no {', '.join(self._request.proxies)} score of the best can be had: {alone}")
            return self._rank({}), self.expected()
        try:
            found = self._scoring.score_models(self._plan.scored)
        except TrainingError as error:
            notify(f"{error}: {alone}")
            return self._rank({}), Cost("0 scored", 0.0)
        return self._rank(self._scores_of_best(found)), found.cost

    def _scores_of_best(self, found: ScoredModels) -> dict[int, float]:
        """The score in [0, 1] of each of the best, by place: its own, or by Eqs. 3–4; some may have none."""
        plan, value_of = self._plan, dict(zip(found.models, found.scores.tolist(), strict=True))
        sources = {place: plan.scored[plan.source[place]] for place in self._best if plan.source[place] >= 0}
        scores = {place: value_of[name] for place, name in sources.items() if name in value_of}
        singletons = [place for place in self._best if place not in sources]
        if self._by_representatives and singletons:
            propagate = propagation(self._results, self._request, plan, found.scores)
            scores |= dict(zip(singletons, propagate(np.array(singletons)).tolist(), strict=True))
        return scores

    def _rank(self, proxies: dict[int, float]) -> list[Recalled]:
        """The best candidates; those with a proxy score, which ``proxies`` has by place, lead."""
        plan, prior = self._plan, self._prior.scores
        places, values = np.array(list(proxies), dtype=np.intp), np.array(list(proxies.values()))
        # Between equals the proxy decides: the prior picked these candidates, and so partly its luck did.
        ranks = normalise_rank(prior[places]) + normalise_rank(values) * (1 + 1e-9)
        lead = places[np.argsort(-ranks, kind="stable")]
        rest = np.argsort(-prior, kind="stable")
        order = np.concatenate([lead, rest[~np.isin(rest, lead)]])[: self._request.count].tolist()
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
