"""The recall of a selection, fitted to its budget: how many are recalled, and whether there is room for scoring."""

from dataclasses import replace

from modelstore.options import RecallOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.step import RecallStep
from modelstore.planner.select.estimate import TrainingEstimate
from modelstore.planner.select.request import Request


def fitting_recall(
    context: StatementContext,
    request: Request,
    models: Models,
    most: int,
    clusters_of: ClusterLookup | None = None,
) -> RecallStep:
    """The recall of ``most`` models at most, of as many as the budget has room to train after it.

    Scoring is left out where the winners could not be trained to the end beside it.
    """
    asked = RecallRequest(
        request.target,
        request.dataset,
        most,
        (request.options["proxy"],),
        request.recipe.name,
        RecallOptions.of(request.options),
        to_train=True,
        replays=not request.trains,
    )
    recall = RecallStep(context, models, asked, clusters_of)
    if not request.budget:
        return recall
    outlook = TrainingEstimate(context, request, models.candidates.names, most)
    scoring = recall.expected().epochs or 0.0
    if scoring and not _fits(outlook, request, request.count, scoring):
        unscored = replace(asked, count=_fitting(outlook, request, most, 0.0), scores=False)
        return RecallStep(context, models, unscored, clusters_of)
    count = _fitting(outlook, request, most, scoring)
    if count == most:
        return recall
    return RecallStep(context, models, replace(asked, count=count), clusters_of)


def _fitting(outlook: TrainingEstimate, request: Request, most: int, scoring: float) -> int:
    """How many of ``most`` can be trained as the strategy would without a budget, after so many epochs of scoring."""
    counts = range(most, request.count, -1)
    return next((count for count in counts if _fits(outlook, request, count, scoring)), request.count)


def _fits(outlook: TrainingEstimate, request: Request, count: int, scoring: float) -> bool:
    budget = request.budget
    cost = outlook.cost(count, request.stages, limited=False)
    assert cost.epochs is not None
    if budget.epochs is not None and scoring + cost.epochs > budget.epochs:
        return False
    if budget.seconds is None or cost.seconds is None or outlook.epoch is None:
        return True
    return scoring * outlook.epoch + cost.seconds <= budget.seconds
