"""The recall of Eqs. 2–4, in `RECALL` and in `SELECT BEST`: score representatives on the target, propagate, rank."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from modelstore.errors import NotFoundError, did_you_mean
from modelstore.interruption import check
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.recall.priors import mean_prior
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.scoring import Scoring
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.store import Store
from modelstore.store.clusters import Memberships
from modelstore.udfs.similarity import similarities

Clusters = Callable[[Sequence[str]], Memberships]


class ClusterRecall(Step):
    """Recalls the ``count`` best candidates for a target by Eqs. 2–4.

    ``clusters_of`` gives the clustering, if it is not the one on record.
    """

    def __init__(
        self,
        context: StatementContext,
        models: Models,
        request: RecallRequest,
        clusters_of: Clusters | None = None,
    ):
        self._clusters_of = clusters_of or context.store.clusters.of
        self._context = context
        self._models = models
        self._request = request
        self._scoring = Scoring(context, request)

    # Read when first needed, and once: what a run adds to the records does not change what was expected of it.
    @cached_property
    def _by_clusters(self) -> ScoringPlan:
        names = self._models.candidates.names
        found = self._clusters_of(names)
        return coarse_recall.plan_scoring(names, found.cluster, found.representative, found.size)

    @property
    def _plan(self) -> ScoringPlan:
        return self._by_clusters

    @property
    def count(self) -> int:
        return self._request.count

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        of = len(self._models.candidates.names)
        return f"coarse recall · top {min(self.count, of)} of {of:,}, {self._scoring.describe(self._plan.scored)}"

    def likely_models(self) -> list[str]:
        return self._models.candidates.names[: self.count]

    def expected(self) -> Cost:
        return self._scoring.expected(self._plan.scored)

    def recall(self) -> list[Recalled]:
        """The recalled models, best first. Raises ``MissingRecordError`` for a score that cannot be had."""
        scored, proxy, self.actual = self._scoring.scores(self._plan.scored)
        return self._rank(coarse_recall.without_failures(self._plan, scored), proxy)

    def _rank(self, plan: ScoringPlan, proxy: np.ndarray) -> list[Recalled]:
        """The ``count`` best, by the normalised ``proxy`` of those that could be scored."""
        results, request, candidates = self._context.store.results, self._request, len(plan.candidates)
        means, datasets = results.means(request.recipe, request.target, [*plan.candidates, *plan.scored])
        _, all_datasets = results.greatest_difference(request.recipe, request.target)
        most = coarse_recall.most_propagated(
            datasets[:candidates], datasets[candidates:], proxy, all_datasets
        )
        prior = coarse_recall.priors(means[:candidates])
        return coarse_recall.rank(plan, self.count, prior, proxy, most, self._propagation(plan, proxy))

    def _propagation(self, plan: ScoringPlan, proxy: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Eq. 4 of some of the candidates, by their places."""
        results, request = self._context.store.results, self._request
        names = np.array(plan.candidates, dtype=object)

        def propagated(singletons: np.ndarray) -> np.ndarray:
            check()
            difference, _ = results.greatest_difference(request.recipe, request.target)
            some = names[singletons].tolist()
            matrix = results.matrix(request.recipe, request.target, [*some, *plan.scored])
            found = similarities(matrix.rows(some), matrix.rows(plan.scored))
            return coarse_recall.propagate(found, proxy, 1.0 - difference)

        return propagated


def recall_scores(
    store: Store, recipe: str, target: str, names: list[str], recall: ClusterRecall | None
) -> dict[str, float]:
    """Recall scores by model: of the recalled, or, without that phase, acc(m) of every candidate."""
    if recall is not None:
        return {recalled.model: recalled.recall_score for recalled in recall.recall()}
    return dict(zip(names, mean_prior(store.results, recipe, target, names).tolist(), strict=True))


def check_target(context: StatementContext, target: str, table: str) -> None:
    """Raises ``NotFoundError`` for a target that is neither registered nor on record in a table."""
    recorded = context.store.catalog.datasets_in(table)
    if target not in recorded:
        near = did_you_mean(target, [*recorded, *context.store.catalog.dataset_names()])
        raise NotFoundError(f'"{target}" is no registered dataset{near}, and {table} has nothing of it')
