"""The recall of a race: the prior leaves no model out where a first stage of all of them costs little."""

from modelstore.options import RecallOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.step import RecallStep
from modelstore.planner.select.estimate import TrainingEstimate
from modelstore.planner.select.race_plan import first_stage
from modelstore.planner.select.request import SelectRequest
from modelstore.recall.scoring_plan import models_to_score, recalls_everybody
from modelstore.selection.stage_plan import FIRST_EPOCHS

LIKE_MORE = 30  # of more models hardly more are worth a second look, so that only their first one costs more


def race_recall(
    context: StatementContext, request: SelectRequest, models: Models, clusters_of: ClusterLookup | None
) -> RecallStep | None:
    """The recall of the best by prior; None where all candidates race.

    All do where a budget says how many start, and where a quarter of an epoch of each, or the first stage if that is
    shorter, is at most a third of what the selection is expected to cost.
    """
    names = models.candidates.names
    datasets = context.store.curves.count_datasets(request.arms.record_recipes, request.target)
    count = max(models_to_score(datasets), request.count)
    if request.budget or len(names) <= count:
        return None
    recipes = len(request.arms.recipes)
    estimate = TrainingEstimate(context, request, names, len(names) * recipes)
    expected = estimate.cost(min(len(names), LIKE_MORE) * recipes).epochs
    if recalls_everybody(len(names) * recipes, min(first_stage(request), FIRST_EPOCHS), expected):
        return None
    asked = RecallRequest(
        request.target,
        request.dataset,
        count,
        (request.options.proxy,),
        request.arms.record_recipes,
        RecallOptions.of(request.options.as_dict()),
        to_train=True,
        replays=request.replays,
        scores=False,
        why_unscored="a first stage of training says more than a score",
    )
    return RecallStep(context, models, asked, clusters_of)
