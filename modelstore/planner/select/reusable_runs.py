"""Runs on record that a selection need not train again: those on its target, of the same recipe and seed."""

from collections.abc import Collection, Iterator

import numpy as np

from modelstore.data.remote import AnyPath, path_at
from modelstore.planner.context import StatementContext
from modelstore.planner.recipes import Recipe
from modelstore.planner.reusable_records import ReusableRecords
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.trainers import ReplayTrainer
from modelstore.records import Curve
from modelstore.selection.replay import SAME_EPOCH, ReplayExecutor, reaches
from modelstore.store import Store
from modelstore.udfs.trends import final_score


class ReusableRuns(Collection[str]):
    """The arms with a whole run on record: a curve from the first stage to the last, and a test score."""

    def __init__(self, context: StatementContext, request: SelectRequest):
        self._log = context.store.selections
        self._request = request
        self._curves: dict[str, Curve] = {}
        self._results: dict[str, float] = {}
        if not request.options.reuse or _lacks_room_to_train_winners(request):
            return
        self._records = ReusableRecords(context.store, request.options.seed)
        for recipe in request.arms.recipes:
            self._read(context.store, recipe)
        self._records.notify_of_others()

    def _read(self, store: Store, recipe: Recipe) -> None:
        """Reads the runs of a recipe."""
        request, recorded_as = self._request, recipe.recorded_as
        curves = store.curves.runs_on(request.target, recorded_as, request.options.seed)
        if not curves:
            return
        results = store.results.with_seed(recorded_as, request.options.seed, on=request.target)
        for model, curve in curves.items():
            score = results.get((model, request.target))
            if (
                self._is_whole(curve, score)
                and self._found_rate_alike(recipe, curve)
                and self._records.holds(model, request.target, recorded_as)
            ):
                arm = request.arms.name(model, recipe)
                self._curves[arm] = curve
                if score is not None:
                    self._results[arm] = score

    def _is_whole(self, curve: Curve, score: float | None) -> bool:
        counted = curve.validations if self._request.options.keep == "best" else None
        known = bool(np.isfinite(final_score(curve.tests, score, counted)))
        return reaches(curve, self._request.stages) and known

    def _found_rate_alike(self, recipe: Recipe, curve: Curve) -> bool:
        """Whether the run's learning rate was given, or found in a first stage as long as this selection's."""
        first = abs(curve.epochs[0] - self._request.stages.ends[0])
        return recipe.options.learning_rate is not None or bool(first < SAME_EPOCH)

    def __contains__(self, arm: object) -> bool:
        return arm in self._curves

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def trainer(self, done: int) -> ReplayTrainer:
        """Walks the runs, after so many stages that are done."""
        request = self._request
        return ReplayTrainer(
            ReplayExecutor(
                request.target, self._curves, self._results, request.stages, done, request.options.keep
            )
        )

    def weights_of(self, arm: str) -> AnyPath | None:
        """Where an earlier selection saved the run's model; None where it is not on disk."""
        request = self._request
        model, recipe = request.arms[arm]
        uri = self._log.weights_of(model, request.target, recipe.recorded_as, request.options)
        if uri is None:
            return None
        directory = path_at(uri)
        return directory if directory.is_dir() else None


def _lacks_room_to_train_winners(request: SelectRequest) -> bool:
    """Whether a budget may be too small to train winners of which only the records are there, beside others."""
    budget = request.budget
    if budget.seconds is not None:
        return True  # how long that would take is not known
    return budget.epochs is not None and budget.epochs < 2 * request.finishing
