"""The recall step of a plan, in `RECALL` and in `SELECT BEST`: which method ranks the candidates."""

from collections.abc import Sequence
from typing import Protocol

from modelstore.execution.workers import Workers
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.recall.cluster_recall import ClusterRecall
from modelstore.planner.recall.prior import compute_prior, mean_prior
from modelstore.planner.recall.prior_recall import PriorRecall
from modelstore.planner.recall.representatives import ClusterLookup, plan_representatives
from modelstore.planner.recall.request import RecallRequest
from modelstore.recall.coarse_recall import Recalled
from modelstore.store import Store


class RecallMethod(Protocol):
    """A way to rank the candidates."""

    def describe(self) -> str:
        """What it ranks by, in one line."""
        ...

    def expected(self) -> Cost:
        """What it is expected to cost."""
        ...

    @property
    def scored(self) -> list[str]:
        """The models whose scores are computed."""
        ...

    def expected_epochs(self) -> float:
        """What of that is epochs, which takes no measurement to know."""
        ...

    def likely(self) -> list[str]:
        """The models that it recalls as far as the records tell, before any is scored."""
        ...

    def recall(self, workers: Workers | None = None) -> tuple[list[Recalled], Cost]:
        """The recalled models, best first, and what that did cost; ``workers`` may be those of a cluster."""
        ...


class RecallStep(Step):
    """Recalls the best candidates for a target.

    The mean of normal scores ranks them (`PriorRecall`); where the paper's prior is asked for, or no candidate has
    results, clusters do (`ClusterRecall`).

    Parameters
    ----------
    context
        The statement's context.
    models
        The candidates.
    request
        What is asked for.
    clusters_of
        Looks up where models are in a clustering, if it is not the one on record.
    """

    def __init__(
        self,
        context: StatementContext,
        models: Models,
        request: RecallRequest,
        clusters_of: ClusterLookup | None = None,
    ):
        self._context = context
        self._models = models
        self._request = request
        self._clusters_of = clusters_of or context.store.clusters.of
        self._method: RecallMethod | None = None

    @property
    def count(self) -> int:
        """How many models are recalled, where there are as many candidates."""
        return self._request.count

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        candidates = len(self._models.candidates.names)
        recalled = min(self.count, candidates)
        return f"coarse recall · top {recalled:,} of {candidates:,}, {self._choose_method().describe()}"

    def expected(self) -> Cost:
        return self._choose_method().expected()

    @property
    def scored(self) -> list[str]:
        """The models whose scores are not on record, and are computed."""
        return self._choose_method().scored

    def expected_epochs(self) -> float:
        """The epochs that `expected` counts, which takes no measurement to know."""
        return self._choose_method().expected_epochs()

    def likely_models(self) -> list[str]:
        """As many models as are recalled: the first of the candidates."""
        return self._models.candidates.names[: self.count]

    def likely_recalled(self) -> list[str]:
        """The models that it recalls as far as the records tell, before any is scored."""
        return self._choose_method().likely()

    def recall(self, workers: Workers | None = None) -> list[Recalled]:
        """The recalled models, best first; stores the scores that it computes.

        Parameters
        ----------
        workers
            A cluster's that are at work already.

        Raises
        ------
        MissingRecordError
            For a score that is neither on record nor can be computed.
        """
        recalled, self.actual = self._choose_method().recall(workers)
        return recalled

    def _choose_method(self) -> RecallMethod:
        """Chooses the method when it is first needed, and once: a run's own records do not change the plan."""
        if self._method is None:
            self._method = self._method_by_prior()
        return self._method

    def _method_by_prior(self) -> RecallMethod:
        context, request, names = self._context, self._request, self._models.candidates.names
        representatives = plan_representatives(names, self._clusters_of)
        by_clusters = ClusterRecall(context, request, representatives)
        if request.options.prior == "mean" and request.scores:
            return by_clusters
        prior = compute_prior(context, names, request.recipes, request.target, request.options.prior)
        if request.scores and not prior.known:
            return by_clusters
        return PriorRecall(context, request, representatives, prior)


def recall_contenders(
    store: Store,
    recipes: Sequence[str],
    target: str,
    names: list[str],
    recall: RecallStep | None,
    workers: Workers | None = None,
) -> dict[str, float]:
    """Runs the recall, and returns the recall score of each recalled model, best first.

    Without that phase, ``recall`` is None: then each of the candidates ``names`` has its acc(m).
    """
    if recall is not None:
        return {recalled.model: recalled.recall_score for recalled in recall.recall(workers)}
    return dict(zip(names, mean_prior(store.results, recipes, target, names).tolist(), strict=True))
