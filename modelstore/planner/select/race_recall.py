"""The recall of a race: no model is left out where a first stage of all of them costs little."""

from dataclasses import replace
from functools import partial

from modelstore.data.hub import must_be_fetched
from modelstore.errors import MissingRecordError
from modelstore.options import RecallOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.recall.prior import compute_prior
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.step import RecallStep
from modelstore.planner.recipes import public_recipes
from modelstore.planner.select.estimate import TrainingEstimate
from modelstore.planner.select.race_plan import first_stage
from modelstore.planner.select.request import SelectRequest
from modelstore.recall.scoring_plan import models_to_score, recalls_everybody, scoring_epochs
from modelstore.selection.stage_plan import FIRST_EPOCHS
from modelstore.sql_text import literal

LIKE_MORE = 30  # of more models hardly more are worth a second look, so that only their first one costs more


def race_recall(
    context: StatementContext, request: SelectRequest, models: Models, clusters_of: ClusterLookup | None
) -> RecallStep | None:
    """The recall of the best by prior; None where all candidates race.

    Where the statement does not say how many are recalled, all race if none must be fetched from the hub, and a
    budget says how many start, or a quarter of an epoch of each, or the first stage if that is shorter, is at most
    half of what the selection is expected to cost. Where no candidate has a prior, the best by proxy race, unless a
    first stage of training is no dearer than a score.

    Raises
    ------
    MissingRecordError
        Where candidates would be fetched from the hub, and none has a prior.
    """
    names, asked = models.candidates.names, request.options.recall
    recipes = request.arms.prior_recipes
    options = RecallOptions.of(request.options.as_dict())
    find_prior = partial(compute_prior, context, names, recipes, request.target, options.prior)
    to_fetch = 0 if request.replays else _count_to_fetch(models)
    curves = context.store.curves
    # Where each model more is a download more, the records of datasets without curves tell enough too.
    datasets = find_prior().datasets if to_fetch else curves.count_datasets(recipes, request.target)
    count = max(models_to_score(datasets) if asked is None else asked, request.count)
    if len(names) <= count:
        return None
    if asked is None and not to_fetch and (request.budget or _all_race(context, request, names)):
        return None
    known = find_prior().known
    if to_fetch and not known:
        raise MissingRecordError(_unranked(context, request, len(names), to_fetch))
    scores = not known and not request.replays and _first_stage(request) > _score_epochs(request)
    if asked is None and not known and not scores:
        return None
    recall = RecallRequest(
        request.target,
        request.dataset,
        count,
        (request.options.proxy,),
        recipes,
        options,
        to_train=True,
        replays=request.replays,
        scores=scores,
        why_unscored="a first stage of training says more than a score",
    )
    return RecallStep(context, models, recall, clusters_of)


def _all_race(context: StatementContext, request: SelectRequest, names: list[str]) -> bool:
    """Whether it costs little, on both sides without the learning rates that a first stage tries."""
    recipes = len(request.arms.recipes)
    estimate = TrainingEstimate(context, replace(request, trial_epochs=0.0), names, len(names) * recipes)
    expected = estimate.cost(min(len(names), LIKE_MORE) * recipes).epochs
    return recalls_everybody(len(names) * recipes, _first_stage(request), expected)


def _unranked(context: StatementContext, request: SelectRequest, candidates: int, to_fetch: int) -> str:
    """That nothing says which candidates are worth fetching, and what would."""
    read, stored = request.arms.prior_recipes, context.store.recipes
    others = [name for name in public_recipes(stored, stored.names()) if name not in read]
    named = ", ".join(map(literal, [request.recipe.name, *others]))
    ways = [f"WITH (recipes = [{named}]) reads public records"] if others else []
    ways.append(f"WITH (recall = {candidates}) trains all of them")
    return (
        f"{to_fetch:,} of the {candidates:,} candidates would be fetched from the hub, and no result of recipe "
        f"{', '.join(read)} says which are worth it: {', '.join(ways)}"
    )


def _count_to_fetch(models: Models) -> int:
    """How many candidates are on record alone, and not on this machine."""
    return sum(must_be_fetched(uri, "model") for uri in models.candidates.on_hub.values())


def _first_stage(request: SelectRequest) -> float:
    return min(first_stage(request), FIRST_EPOCHS)


def _score_epochs(request: SelectRequest) -> float:
    """What one score costs, in epochs of the target."""
    assert request.dataset is not None  # or it would be a replay
    rows = request.dataset.train_rows
    return scoring_epochs(1, min(request.options.proxy_rows, rows), rows)
