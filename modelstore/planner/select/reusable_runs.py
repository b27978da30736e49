"""What a selection need not train: the runs on its target that are on record, of the same recipe and seed."""

from pathlib import Path

import numpy as np

from modelstore.planner.context import StatementContext
from modelstore.planner.select.request import Request
from modelstore.records import Curve
from modelstore.selection.replay import SAME_EPOCH, ReplayExecutor
from modelstore.training.run import Executor, Run
from modelstore.udfs.trends import final_score


class ReusableRuns:
    """Whole runs on record: those with a validation at every stage of the selection, and a final test score."""

    def __init__(self, context: StatementContext, request: Request):
        self._log = context.store.selections
        self._request = request
        self._curves: dict[str, Curve] = {}
        self._results: dict[str, float] = {}
        if not request.trains or not request.options["reuse"] or _leaves_no_room(request):
            return
        store, seed = context.store, request.options["seed"]
        recipe = request.recipe.recorded_as
        curves = store.curves.runs_on(request.target, recipe, seed)
        if not curves:
            return
        results = store.results.with_seed(recipe, seed, on=request.target)
        self._results = {model: score for (model, _), score in results.items()}
        self._curves = {model: curve for model, curve in curves.items() if self._is_whole(model, curve)}

    def _is_whole(self, model: str, curve: Curve) -> bool:
        wanted = np.arange(1, self._request.stages + 1) * self._request.stage_epochs
        reached = (np.abs(curve.epochs - wanted[:, None]) < SAME_EPOCH).any(axis=1).all()
        return bool(reached) and np.isfinite(final_score(curve.tests, self._results.get(model)))

    def __contains__(self, model: object) -> bool:
        return model in self._curves

    def beside(self, training: Executor, done: int) -> Executor:
        """An executor that walks the runs on record, and leaves the others to one that trains."""
        options = self._request.options
        replay = ReplayExecutor(
            self._request.target, self._curves, self._results, options["stages_per_epoch"], done
        )
        return _Beside(self, replay, training)

    def weights_of(self, model: str) -> Path | None:
        """Where the run's model is on disk, as an earlier selection saved it; None where it is not."""
        request = self._request
        uri = self._log.weights_of(model, request.target, request.recipe.recorded_as, request.options["seed"])
        return Path(uri) if uri is not None and Path(uri).is_dir() else None


class _Beside:
    def __init__(self, recorded: ReusableRuns, replay: ReplayExecutor, training: Executor):
        self._recorded = recorded
        self._replay = replay
        self._training = training

    def start(self, model: str) -> Run:
        return (self._replay if model in self._recorded else self._training).start(model)


def _leaves_no_room(request: Request) -> bool:
    """Whether a budget is too small to train winners that only their records are known of."""
    budget = request.budget
    if budget.seconds is not None:
        return True  # how long that would take is not known
    return budget.epochs is not None and budget.epochs < request.finishing
