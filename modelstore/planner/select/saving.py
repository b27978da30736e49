"""What becomes of a selection's winners: saved on disk, their curves recorded, the best one registered."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from glob import escape

from modelstore.data.hub import ModelRef, local_path
from modelstore.data.remote import AnyPath, remove_tree
from modelstore.errors import StoreError
from modelstore.events import Decision
from modelstore.planner.catalog.statement import model_from
from modelstore.planner.contents import contents_of, origin_of, register_models
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.reusable_records import ReusableRecords
from modelstore.planner.select.ensemble import Ensemble
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.winner_cards import WinnerCards
from modelstore.planner.select.winners import Chosen, Winner
from modelstore.selection.loop import Finalist
from modelstore.store.registered import Model
from modelstore.store.selections import Logged
from modelstore.store.winners import winner_name


class WinnerArchive:
    """Saves and records the winners of one selection."""

    def __init__(self, context: StatementContext, request: SelectRequest, models: Models, logged: Logged):
        self._context = context
        self._request = request
        self._cards = WinnerCards(context, request, models, logged)
        self._selection = logged.id
        self._key = logged.key
        # Names that were tried, which other connections may be about to register.
        self._taken: set[str] = set()

    @contextmanager
    def saving(
        self,
        chosen: Chosen,
        ensemble: Ensemble | None,
        last: Sequence[Decision],
        spent: Callable[[], tuple[float, float]],
    ) -> Iterator[tuple[list[AnyPath], AnyPath | None]]:
        """Saves the winners and their ensemble; removes them again where the block, which records them, fails.

        Parameters
        ----------
        chosen, ensemble
            The winners, and what is made of them.
        last
            The decisions that chose them.
        spent
            Says what epochs and seconds the selection has taken.

        Yields
        ------
        tuple
            The winners' directories, the best first, and the ensemble's file.
        """
        directories: list[AnyPath] = []
        vote: AnyPath | None = None
        try:
            for winner in chosen.winners:
                directories.append(self._save(winner))
            if ensemble is not None:
                vote = self._context.checkpoints / f"{self._name('ensemble')}.json"
                names = [finalist.model for finalist in chosen.finalists]
                ensemble.save(dict(zip(names, directories, strict=True)), vote)
            self._cards.write(chosen.winners, directories, last, spent())
            yield directories, vote
        except BaseException:
            # A Ctrl-C may come when all is stored.
            if self._context.store.selections.read(self._selection).status != "done":
                for winner, directory in zip(chosen.winners, directories, strict=False):
                    if winner.is_new:
                        remove_tree(directory)
                if vote is not None:
                    vote.unlink(missing_ok=True)
            raise

    def _save(self, winner: Winner) -> AnyPath:
        folder, model = self._context.checkpoints, self._request.arms.model_of(winner.finalist.model)
        directory = _unused(folder / self._name(model))
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            return winner.write(directory)
        except BaseException as error:
            for left in (directory, *folder.glob(f".{escape(directory.name)}.*.partial")):
                remove_tree(left)
            if not isinstance(error, OSError):
                raise
            raise StoreError(
                f'the winner "{model}" cannot be saved in "{directory}": {error.strerror or error}'
            ) from None

    def _name(self, of: str) -> str:
        return winner_name(self._selection, self._key, of)

    def record(self, chosen: Chosen, directories: list[AnyPath], vote: AnyPath | None) -> None:
        """Stores the winners' curves, and registers the best one and the ensemble where that is asked for."""
        for finalist in chosen.finalists:
            self._store_curve(finalist)
        best: str | None = None
        # What an earlier selection trained is registered already.
        if self._request.options.register and chosen.winners[0].is_new:
            best = self._register(self._request.arms.model_of(chosen.finalists[0].model), str(directories[0]))
        for rank, (winner, directory) in enumerate(zip(chosen.winners, directories, strict=True), 1):
            if winner.is_new:
                arm = self._request.arms[winner.finalist.model]
                self._context.store.winners.add(
                    self._selection,
                    rank,
                    arm.model,
                    arm.recipe.recorded_as,
                    directory.name,
                    best if rank == 1 else None,
                )
        if self._request.options.register and vote is not None:
            self._register_ensemble(str(vote), str(directories[0]))

    def _store_curve(self, finalist: Finalist) -> None:
        curves, seed = self._context.store.curves, self._request.options.seed
        target, (model, recipe) = self._request.target, self._request.arms[finalist.model]
        run, store = (model, target, recipe.recorded_as, seed), self._context.store
        holds = ReusableRecords(store, seed, [model]).holds(model, target, recipe.recorded_as)
        if not self._is_whole(finalist) or (curves.has(*run) and holds):
            return
        if not holds:
            store.results.remove(*run)
        store.fingerprints.set_origin(*run, origin_of(store, model, target))
        tested = replace(finalist.point, test=finalist.test)
        points = [tested if point is finalist.point else point for point in finalist.curve]
        curves.add(*run, points)

    def _is_whole(self, finalist: Finalist) -> bool:
        """A run that a budget ended is no record of how the model ends."""
        return len(finalist.curve) == self._request.stages.count

    def _register(self, model: str, checkpoint: str) -> str:
        """Registers the fine-tuned winner, and returns its name."""
        earlier, target = self._context.store.catalog.model(model).fine_tuned_on, self._request.target
        found = ModelRef(self._unused_name(model), local_path(checkpoint, "model"))
        return self._add(model_from(found, checkpoint, base=model, fine_tuned_on=(*earlier, target)))

    def _register_ensemble(self, file: str, best: str) -> None:
        """Registers an ensemble, whose best member is in the directory ``best``."""
        found = ModelRef(self._unused_name("ensemble"), local_path(best, "model"))
        member = model_from(found, file, fine_tuned_on=(self._request.target,))
        of_all = replace(member, architecture="ensemble", parameters=None, card=None)
        self._add(replace(of_all, license=None, languages=(), tags=(), base_model=None))

    def _unused_name(self, of: str) -> str:
        """A name for what was fine-tuned that no other model has."""
        name = wanted = f"{of}-finetuned-{self._request.target}"
        number = 1
        while name in self._taken or self._context.store.catalog.find_model(name) is not None:
            name = f"{wanted}-{self._selection}" + ("" if number == 1 else f"-{number}")
            number += 1
        self._taken.add(name)
        return name

    def _add(self, model: Model) -> str:
        register_models(self._context.store, {model.name: (model, contents_of(model))})
        return model.name


def _unused(wanted: AnyPath) -> AnyPath:
    """A path where nothing is yet, numbered where need be: an earlier directory of the same name stays."""
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")
    return path
