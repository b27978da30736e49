"""The recall of a selection, fitted to its budget: how many are recalled, and whether there is room for scoring."""

from dataclasses import replace

from modelstore.planner.informed_recall import recall_step
from modelstore.planner.models_step import Models
from modelstore.planner.recalling import Clusters, CoarseRecall
from modelstore.planner.request import RecallRequest, Request
from modelstore.planner.session import Session
from modelstore.planner.training import epoch_seconds, epochs_within, expected_epochs


def fitting_recall(
    session: Session, request: Request, models: Models, most: int, clusters_of: Clusters | None = None
) -> CoarseRecall:
    """The recall of ``most`` models at most, of as many as the budget has room to train after it.

    Scoring is left out where the winners could not be trained to the end beside it.
    """
    limit = None
    if request.budget:
        limit = epochs_within(request.budget, epoch_seconds(session, request, models.candidates.names))
    asked = RecallRequest(
        request.target,
        request.dataset,
        most,
        (request.options["proxy"],),
        request.recipe.name,
        request.options,
        to_train=True,
        replays=not request.trains,
    )
    recall = recall_step(session, models, asked, clusters_of)
    if limit is None:
        return recall
    scoring = recall.expected().epochs or 0.0
    whole = expected_epochs(request, request.count, request.stages, None)
    if scoring and scoring + whole > limit:
        unscored = replace(asked, count=_fitting(request, most, limit), scores=False)
        return recall_step(session, models, unscored, clusters_of)
    count = _fitting(request, most, limit - scoring)
    if count == most:
        return recall
    return recall_step(session, models, replace(asked, count=count), clusters_of)


def _fitting(request: Request, most: int, limit: float) -> int:
    """How many of ``most`` can be trained as the strategy would without a budget."""
    counts = range(most, request.count, -1)
    return next(
        (count for count in counts if expected_epochs(request, count, request.stages, None) <= limit),
        request.count,
    )
