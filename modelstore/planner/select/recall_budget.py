"""The recall of a selection, fitted to its budget: how many models are recalled, and whether any are scored."""

from dataclasses import replace

from modelstore.options import RecallOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.step import RecallStep
from modelstore.planner.select.estimate import TrainingEstimate
from modelstore.planner.select.request import SelectRequest


def fitting_recall(
    context: StatementContext,
    request: SelectRequest,
    models: Models,
    most: int,
    clusters_of: ClusterLookup | None = None,
) -> RecallStep:
    """The recall of as many models, ``most`` at most, as the budget allows to train after it.

    No model is scored where the budget could not train the winners to the end after that.
    """
    asked = RecallRequest(
        request.target,
        request.dataset,
        most,
        (request.options.proxy,),
        request.arms.prior_recipes,
        RecallOptions.of(request.options.as_dict()),
        to_train=True,
        replays=request.replays,
        epochs_a_score=request.strategy.epochs_a_score,
    )
    recall = RecallStep(context, models, asked, clusters_of)
    if not request.budget:
        return recall
    arms = most * len(request.arms.recipes)
    estimate = TrainingEstimate(context, request, models.candidates.names, arms)
    scoring = recall.expected_epochs()
    if scoring and not _fits(estimate, request, request.count, scoring):
        unscored = replace(asked, count=_most_fitting(estimate, request, most, 0.0), scores=False)
        return RecallStep(context, models, unscored, clusters_of)
    count = _most_fitting(estimate, request, most, scoring)
    if count == most:
        return recall
    return RecallStep(context, models, replace(asked, count=count), clusters_of)


def _most_fitting(estimate: TrainingEstimate, request: SelectRequest, most: int, scoring: float) -> int:
    """How many of ``most`` models fit the budget after so many epochs of scoring, with nothing cut short."""
    counts = range(most, request.count, -1)
    return next((count for count in counts if _fits(estimate, request, count, scoring)), request.count)


def _fits(estimate: TrainingEstimate, request: SelectRequest, count: int, scoring: float) -> bool:
    budget = request.budget
    cost = estimate.cost(count * len(request.arms.recipes), limited=False)
    if budget.epochs is not None and scoring + cost.epochs > budget.epochs:
        return False
    if budget.seconds is None or cost.seconds is None or estimate.epoch is None:
        return True
    return scoring * estimate.epoch + cost.seconds <= budget.seconds
