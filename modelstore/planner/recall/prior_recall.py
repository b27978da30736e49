"""The recall by a prior of the store's records, with proxy scores of the best candidates by it."""

from functools import cached_property

import numpy as np

from modelstore.errors import TrainingError
from modelstore.execution.workers import Workers
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost
from modelstore.planner.recall.prior import Prior, Records
from modelstore.planner.recall.representatives import propagation
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.scoring import ScoredModels, Scoring
from modelstore.progress import notify
from modelstore.recall.best_chances import best_set, chances_of_best
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.recall.combined_scores import DEFAULT_SLOPES, features
from modelstore.recall.scoring_plan import models_to_score

# More models than this are not chosen as a set: those after them are in order of their expected scores.
SET = 100


class PriorRecall:
    """Ranks candidates by a prior, and the best by it by proxy scores too.

    Both together tell a candidate's expected score on the target (`combined_scores`), and the first models are the
    set that has the best expected maximum (`best_set`). Where the scores of all representatives are on record, no
    other model is scored: a representative's score stands for the members of its cluster that have none of their own,
    as in Eqs. 3–4 of Cui et al. Otherwise the best candidates themselves are scored. Where the scores of all
    candidates are on record, all are used. A candidate without any score counts as average by the proxy.

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
        self._store = context.store
        self._request = request
        self._representatives = representatives
        self._prior = prior
        self._scoring = Scoring(context, request)

    @cached_property
    def _all_are_stored(self) -> bool:
        """Whether all candidates have scores on record, which are free; in a replay they cost what scoring would."""
        names, is_stored = self._representatives.candidates, self._scoring.proxies.is_stored
        return not self._request.replays and all(map(is_stored, names))

    @cached_property
    def _best(self) -> list[int]:
        """The places of the candidates that have proxy scores too: the best by the prior, or all."""
        request, candidates = self._request, len(self._prior.scores)
        number = models_to_score(self._prior.datasets)
        if request.to_train:  # which says more: no more are scored than by the paper's formula
            number = min(number, len(self._representatives.scored))
        if request.scores and self._all_are_stored:
            number = candidates
        number = min(candidates, max(number, request.count))
        if not request.scores or number < 2 or (request.to_train and number <= request.count):
            return []  # one score ranks nothing, and models that are all trained need none
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
        scored = ", no proxy"
        if not self._request.scores:
            scored = f" alone: {self._request.why_unscored}"
        elif self._plan.scored:
            which = "all" if len(self._best) == len(prior.scores) else "the best"
            scored = f", {self._scoring.describe(self._plan.scored)} of {which}"
        return f"{prior.describe()}{scored}{''.join(f'; {note}' for note in prior.notes)}"

    def expected(self) -> Cost:
        return self._scoring.expected(self._plan.scored)

    @property
    def scored(self) -> list[str]:
        return self._scoring.missing(self._plan.scored)

    def expected_epochs(self) -> float:
        return self._scoring.expected_epochs(self._plan.scored)

    def recall(self, workers: Workers | None = None) -> tuple[list[Recalled], Cost]:
        for note in self._prior.notes:
            notify(note)
        alone = f"the {self._prior.describe()} stands alone"
        if not self._plan.scored:
            if self._best:
                notify(f"no {', '.join(self._request.proxies)} score of the best can be had: {alone}")
            return self._rank({}), self.expected()
        try:
            found = self._scoring.score_models(self._plan.scored, workers)
        except TrainingError as error:
            notify(f"{error}: {alone}")
            return self._rank({}), Cost("0 scored", 0.0)
        return self._rank(self._scores_of_best(found)), found.cost

    def likely(self) -> list[str]:
        return [one.model for one in self._rank({})]

    def _scores_of_best(self, found: ScoredModels) -> dict[int, float]:
        """The score in [0, 1] of each of the best, by place: its own, or by Eqs. 3–4; some may have none."""
        plan, value_of = self._plan, dict(zip(found.models, found.scores.tolist(), strict=True))
        sources = {place: plan.scored[plan.source[place]] for place in self._best if plan.source[place] >= 0}
        scores = {place: value_of[name] for place, name in sources.items() if name in value_of}
        singletons = [place for place in self._best if place not in sources]
        if self._by_representatives and singletons:
            propagate = propagation(self._store.results, self._request, plan, found.scores)
            scores |= dict(zip(singletons, propagate(np.array(singletons)).tolist(), strict=True))
        return scores

    def _rank(self, proxies: dict[int, float]) -> list[Recalled]:
        """The best candidates; ``proxies`` has the scores of those that have one, by place."""
        plan, prior, request = self._plan, self._prior, self._request
        proxy = np.full(len(plan.candidates), np.nan)
        proxy[list(proxies)] = list(proxies.values())
        x, slopes, first = features(prior.scores, proxy), DEFAULT_SLOPES, np.empty(0, dtype=np.intp)
        if proxies:
            records = Records(self._store, request.recipes, request.target)
            slopes = records.slopes_of(self._scoring.used(plan.scored), request.options.layers)
            first = best_set(x, slopes, min(request.count, SET))
        by_score = np.argsort(-slopes.scores(x), kind="stable")
        order = np.concatenate([first, by_score[~np.isin(by_score, first)]])[: request.count].tolist()
        wanted = prior.name == "normal" and not request.to_train  # training asks for the models alone
        chances = chances_of_best(x, slopes) if wanted else None
        return [
            Recalled(
                rank=position,
                model=plan.candidates[place],
                cluster=int(plan.cluster[place]) or None,
                representative=plan.scored[plan.source[place]]
                if place in proxies and plan.source[place] >= 0
                else None,
                prior=float(prior.scores[place]),
                proxy_score=proxies.get(place),
                recall_score=1.0 - (position - 1) / len(plan.candidates),
                chance=None if chances is None else float(chances[place]),
            )
            for position, place in enumerate(order, 1)
        ]
