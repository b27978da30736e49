"""The recall of a selection, fitted to its budget: how many are recalled, and whether there is room for scoring."""

from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.recalling import Clusters, CoarseRecall, recall_step
from modelstore.planner.request import Request
from modelstore.planner.session import Session
from modelstore.planner.training import epoch_seconds, epochs_within, expected_epochs
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import Recalled


class RecallByPrior(Step):
    """Recalls the ``count`` candidates of the best prior, acc(m), where a budget has no room for scoring."""

    def __init__(self, session: Session, request: Request, models: Models, count: int):
        self._session = session
        self._request = request
        self._models = models
        self.count = count

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        of = len(self._models.candidates.names)
        return f"recall by the prior alone · top {self.count} of {of:,}: the budget has no room for scoring"

    def expected(self) -> Cost:
        return Cost("0 scored", 0.0)

    def recall(self) -> list[Recalled]:
        names, request = self._models.candidates.names, self._request
        means, _ = self._session.store.results.means(request.recipe.name, request.target, names)
        ranked = sorted(
            zip(coarse_recall.priors(means).tolist(), names, strict=True), key=lambda r: (-r[0], r[1])
        )
        self.actual = self.expected()
        return [
            Recalled(rank, name, None, None, prior, 1.0, prior)
            for rank, (prior, name) in enumerate(ranked[: self.count], 1)
        ]


def fitting_recall(
    session: Session, request: Request, models: Models, most: int, clusters_of: Clusters | None = None
) -> CoarseRecall | RecallByPrior:
    """The recall of ``most`` models at most, of as many as the budget has room to train after it.

    Scoring is left out where the winners could not be trained to the end beside it.
    """
    limit = None
    if request.budget:
        names = models.candidates.names
        seconds = epoch_seconds(session, request, names, session.store.catalog.parameters_of(names))
        limit = epochs_within(request.budget, seconds)
    recall = _recall(session, request, models, most, clusters_of)
    if limit is None:
        return recall
    scoring = recall.expected().epochs or 0.0
    whole = expected_epochs(request, request.count, request.stages, None)
    if scoring and scoring + whole > limit:
        return RecallByPrior(session, request, models, _fitting(request, most, limit))
    count = _fitting(request, most, limit - scoring)
    return recall if count == most else _recall(session, request, models, count, clusters_of)


def _fitting(request: Request, most: int, limit: float) -> int:
    """How many of ``most`` can be trained as the strategy would without a budget."""
    counts = range(most, request.count, -1)
    return next(
        (count for count in counts if expected_epochs(request, count, request.stages, None) <= limit),
        request.count,
    )


def _recall(
    session: Session, request: Request, models: Models, count: int, clusters_of: Clusters | None
) -> CoarseRecall:
    return recall_step(
        session,
        models,
        request.target,
        request.dataset,
        count,
        [request.options["proxy"]],
        request.recipe.name,
        request.options,
        to_train=True,
        replays=not request.trains,
        clusters_of=clusters_of,
    )
