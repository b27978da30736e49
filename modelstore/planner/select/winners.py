"""What becomes of a selection's winners: saved on disk, their curves recorded, the best one registered."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from glob import escape
from pathlib import Path
from typing import cast

from modelstore.errors import StoreError
from modelstore.planner.catalog.statement import model_from
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.select.ensemble import Ensemble
from modelstore.planner.select.request import Request
from modelstore.selection.selector import Finalist
from modelstore.training.run import TrainingRun


class Winners:
    """Keeps the finalists of one selection."""

    def __init__(self, context: StatementContext, request: Request, models: Models, selection: int):
        self._context = context
        self._request = request
        self._models = models
        self._selection = selection

    @contextmanager
    def saved(
        self, finalists: Sequence[Finalist], ensemble: Ensemble | None
    ) -> Iterator[tuple[list[Path], Path | None]]:
        """Their directories, best first, and their ensemble's file.

        They go again where the block, which makes them known, fails.
        """
        directories: list[Path] = []
        vote: Path | None = None
        try:
            for finalist in finalists:
                directories.append(finalist.weights or self._save(finalist))
            if ensemble is not None:
                members = {one.model: place for one, place in zip(finalists, directories, strict=True)}
                vote = _unused(self._context.checkpoints / f"{self._selection}-ensemble.json")
                ensemble.save(members, vote)
            yield directories, vote
        except BaseException:
            # A Ctrl-C may come when all is stored.
            if self._context.store.selections.read(self._selection).status != "done":
                for directory in {*directories} - {finalist.weights for finalist in finalists}:
                    shutil.rmtree(directory, ignore_errors=True)
                if vote is not None:
                    vote.unlink(missing_ok=True)
            raise

    def _save(self, finalist: Finalist) -> Path:
        run = cast(TrainingRun, finalist.run)
        folder = self._context.checkpoints
        directory = _unused(folder / f"{self._selection}-{finalist.model.replace('/', '--')}")
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            run.save(directory)
        except BaseException as error:
            for left in (directory, *folder.glob(f".{escape(directory.name)}.*.partial")):
                shutil.rmtree(left, ignore_errors=True)
            if not isinstance(error, OSError):
                raise
            raise StoreError(
                f'the winner "{finalist.model}" cannot be saved in "{directory}": {error.strerror or error}'
            ) from None
        return directory

    def record(self, finalists: Sequence[Finalist], directories: Sequence[Path]) -> None:
        """Stores their curves, and registers the best where that is asked for."""
        for finalist in finalists:
            self._store_curve(finalist)
        if self._request.options["register"]:
            self._register(finalists[0], str(directories[0]))

    def _store_curve(self, finalist: Finalist) -> None:
        curves, seed = self._context.store.curves, self._request.options["seed"]
        target, recipe = self._request.target, self._request.recipe.recorded_as
        if not self._is_whole(finalist) or curves.has(finalist.model, target, recipe, seed):
            return
        *earlier, last = finalist.run.curve
        points = [astuple(point) for point in (*earlier, replace(last, test=finalist.test))]
        curves.add(finalist.model, target, recipe, seed, points)

    def _is_whole(self, finalist: Finalist) -> bool:
        """A run that a budget ended is no record of how the model ends."""
        return len(finalist.run.curve) == self._request.stages

    def _register(self, finalist: Finalist, checkpoint: str) -> None:
        if finalist.weights is not None:
            return  # it is from there that it is known
        model = finalist.model
        catalog, target = self._context.store.catalog, self._request.target
        earlier = self._models.candidates.registered[model].fine_tuned_on
        name = f"{model}-finetuned-{target}"
        if catalog.find_models([name]):
            name = f"{name}-{self._selection}"
        catalog.add_model(model_from(name, checkpoint, base=model, fine_tuned_on=(*earlier, target)))


def _unused(wanted: Path) -> Path:
    """A path that nothing is at, numbered where need be: what an earlier file of the same name left is kept."""
    suffix = ".json" if wanted.suffix == ".json" else ""  # a model's name may hold dots
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name.removesuffix(suffix)}-{number}{suffix}")
    return path
