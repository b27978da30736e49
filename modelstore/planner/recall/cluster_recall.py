"""The paper's recall (Cui et al., Eqs. 2–4): score the clusters' representatives, propagate the scores, rank."""

import numpy as np

from modelstore.execution.workers import Workers
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost
from modelstore.planner.recall.prior import mean_prior
from modelstore.planner.recall.representatives import propagation
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.scoring import Scoring
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import Recalled, ScoringPlan


class ClusterRecall:
    """Ranks candidates by the mean of their scores on record times a proxy score of their representative.

    Parameters
    ----------
    context
        The statement's context.
    request
        What is asked for.
    plan
        The representatives, which are scored.
    """

    def __init__(self, context: StatementContext, request: RecallRequest, plan: ScoringPlan):
        self._results = context.store.results
        self._request = request
        self._plan = plan
        self._scoring = Scoring(context, request)

    def describe(self) -> str:
        return self._scoring.describe(self._plan.scored)

    def expected(self) -> Cost:
        return self._scoring.expected(self._plan.scored)

    @property
    def scored(self) -> list[str]:
        return self._scoring.missing(self._plan.scored)

    def expected_epochs(self) -> float:
        return self._scoring.expected_epochs(self._plan.scored)

    def recall(self, workers: Workers | None = None) -> tuple[list[Recalled], Cost]:
        found = self._scoring.score_models(self._plan.scored, workers)
        plan = coarse_recall.without_failures(self._plan, found.models)
        return self._rank(plan, found.scores), found.cost

    def likely(self) -> list[str]:
        request, names = self._request, self._plan.candidates
        prior = mean_prior(self._results, request.recipes[:1], request.target, names)
        return [names[place] for place in np.argsort(-prior, kind="stable")[: request.count]]

    def _rank(self, plan: ScoringPlan, proxy: np.ndarray) -> list[Recalled]:
        """The best candidates; ``proxy`` (scored,) are the scores in [0, 1] of the models that could be scored."""
        request, candidates = self._request, len(plan.candidates)
        names = [*plan.candidates, *plan.scored]
        means, datasets = self._results.means(request.recipes[0], request.target, names)
        _, all_datasets = self._results.greatest_difference(request.recipes[0], request.target)
        most = coarse_recall.most_propagated(
            datasets[:candidates], datasets[candidates:], proxy, all_datasets
        )
        prior = coarse_recall.priors(means[:candidates])
        propagate = propagation(self._results, request, plan, proxy)
        return coarse_recall.rank(plan, request.count, prior, proxy, most, propagate)
