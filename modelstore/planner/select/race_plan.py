"""What is known before a selection starts: where its stages end, and how many datasets are on record."""

from dataclasses import replace

from modelstore.planner.context import StatementContext
from modelstore.planner.select.arm_records import recorded_curves_on_target
from modelstore.planner.select.request import SelectRequest
from modelstore.selection.replay import SAME_EPOCH
from modelstore.selection.stage_plan import FIRST_EPOCHS, FIRST_ROWS, stage_epochs


def planned(context: StatementContext, request: SelectRequest, names: list[str]) -> SelectRequest:
    """The request with its stages, by default those that its strategy asks for, and with an `informed` strategy."""
    options = request.options
    if request.strategy.stages_grow and options.stages is None and options.stages_per_epoch is None:
        request = replace(request, options=replace(options, stages=_growing(context, request, names)))
    return informed(context, request)


def informed(context: StatementContext, request: SelectRequest) -> SelectRequest:
    """The request with a strategy that knows how many datasets with curves are on record.

    It also knows what finding learning rates takes: of a replay, what it took the recorded runs at most.
    """
    trials, curves = _trial_epochs(request), context.store.curves
    if request.replays:
        recipes = request.arms.recipes
        trials = max(curves.trial_epochs(request.target, recipe.variant) for recipe in recipes)
    request = replace(request, trial_epochs=trials)
    datasets = 0
    if request.strategy.forecast == "race":
        datasets = curves.count_datasets(request.arms.record_recipes, request.target)
    return replace(request, strategy=request.strategy.informed(datasets))


def _trial_epochs(request: SelectRequest) -> float:
    """What finding a learning rate takes of an arm's first stage, at most."""
    finds = any(recipe.options.learning_rate is None for recipe in request.arms.recipes)
    return replace(request.options, learning_rate=None).trial_epochs if finds else 0.0


def first_stage(request: SelectRequest) -> float:
    """The epochs of the first stage of a plan of growing stages."""
    return _growing_ends(request)[0]


def _growing(context: StatementContext, request: SelectRequest, names: list[str]) -> tuple[float, ...]:
    """Stages that grow; of a replay, from the first point on that all recorded curves have reached."""
    ends = _growing_ends(request)
    if not request.replays:
        return ends
    curves = recorded_curves_on_target(context.store, request, names)
    first = max((float(curve.epochs[0]) for curve in curves.values()), default=0.0)
    return tuple(end for end in ends if end > first - SAME_EPOCH) or ends[-1:]


def _growing_ends(request: SelectRequest) -> tuple[float, ...]:
    dataset, options = request.dataset, request.options
    if dataset is not None and dataset.train_rows:
        ends = stage_epochs(dataset.train_rows, options.epochs, options.rows_per_step)
    else:  # as of a dataset that is neither small nor large
        ends = stage_epochs(round(FIRST_ROWS / FIRST_EPOCHS), options.epochs, 1)
    return tuple(ends.tolist())
