"""The training of a selection: who is trained on the target stage by stage, and what it costs."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from modelstore.engine.memory import PeakMemory
from modelstore.engine.progress import progress
from modelstore.engine.run import Executor, Run
from modelstore.errors import ModelError
from modelstore.interruption import check
from modelstore.planner import data
from modelstore.planner.benchmarking import training_options
from modelstore.planner.costs import Costs, training_memory
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.predicting import PooledPredictions, TrendPredictions
from modelstore.planner.request import Request
from modelstore.planner.reusing import Recorded
from modelstore.planner.session import Session
from modelstore.selection.budget import Budget, room
from modelstore.selection.events import Decision
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import (
    ProbabilityOfImprovement,
)
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.selector import Finalist, Predict, Selection


class Training(Step):
    """The stages of a selection, after those that are ``done``: who is trained, and who goes after each.

    ``contenders`` is how many begin; ``states`` has the files of the runs that go on. ``before`` is what recall is
    expected to take of the budget, in epochs.
    """

    def __init__(
        self,
        session: Session,
        request: Request,
        source: Step,
        models: Models,
        contenders: int,
        done: int = 0,
        states: Mapping[str, Path] | None = None,
        before: float = 0.0,
    ):
        self._session = session
        self._request = request
        self._source = source
        self._models = models
        self._contenders = contenders
        self._done = done
        self._states = states
        self._before = before
        self.recorded = Recorded(session, request)
        self._selection: Selection | None = None

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._source,)

    def describe(self) -> str:
        options, strategy = self._request.options, self._request.strategy
        per_epoch = options["stages_per_epoch"]
        length = "1 epoch" if per_epoch == 1 else f"1/{per_epoch} epoch"
        name = strategy.name.replace("_", " ")
        details = ""
        if isinstance(strategy, FineSelection):
            details = f", threshold {strategy.threshold:g}"
        elif isinstance(strategy, ProbabilityOfImprovement):
            details = f", bound {strategy.bound:g}"
        replay = "" if self._request.trains else ", replayed"
        budget = f", budget {self._request.budget}" if self._request.budget else ""
        return f"{name} · {self._request.stages} stages of {length}{details}{budget}{replay}"

    def expected(self) -> Cost:
        request = self._request
        names = self._models.candidates.names
        parameters = self._session.store.catalog.parameters_of(names)
        epoch = epoch_seconds(self._session, request, names)
        limit = epochs_within(request.budget, epoch)
        left = None if limit is None else limit - self._before
        epochs = expected_epochs(request, self._contenders, request.stages - self._done, left)
        known = sum(name in self.recorded for name in names)
        # What is on record is not trained, but for a winner among it.
        epochs += known / len(names) * (request.finishing - epochs)
        seconds = None if epoch is None else epoch * epochs
        measured = self._session.store.telemetry.peak_memory(request.recipe.name, request.options["device"])
        memory = None
        if request.trains:
            tuning = request.recipe.options["tuning"]
            memory = training_memory(names, parameters, self._contenders, measured, tuning)
        of = f" ({known} of {len(names)} on record)" if known else ""
        return Cost(f"{self._contenders} models{of}", epochs, seconds, memory)

    @property
    def spent(self) -> tuple[float, float]:
        """Epochs, and seconds of training, so far."""
        return (self._selection.epochs, self._selection.seconds) if self._selection else (0.0, 0.0)

    def run(
        self,
        recall_scores: dict[str, float],
        on_stage: Callable[[Sequence[Decision], Mapping[str, Run]], None],
        before: tuple[float, float] = (0.0, 0.0),
    ) -> list[Finalist]:
        """Trains the models that have recall scores; ``on_stage`` is as in `Selection`.

        ``before``: the epochs and seconds of the budget that are spent already.
        """
        request = self._request
        names = list(recall_scores)
        epoch = None
        if request.budget.seconds is not None:
            epoch = epoch_seconds(self._session, request, names)
        executor = self._executor(names)
        # A winner that is on record may have to be trained yet.
        known = any(name in self.recorded for name in names)
        reserved = request.finishing if request.budget and known else 0.0
        self._selection = Selection(
            recall_scores=recall_scores,
            executor=executor,
            strategy=self._request.strategy,
            stages=self._request.stages,
            keep=self._request.count,
            predict=self._predictions(),
            on_stage=on_stage,
            done=self._done,
            budget=request.budget,
            before=(before[0] + reserved, before[1]),
            free=self.recorded,
            stage_epochs=request.stage_epochs,
            stage_seconds=None if epoch is None else epoch * request.stage_epochs,
            clock=time.perf_counter if request.trains else None,
        )
        peak = self._peak_memory()
        try:
            with peak or nullcontext():
                return [self._with_weights(finalist) for finalist in self._selection.run()]
        finally:
            memory = peak.bytes if peak else None
            self.actual = Cost(f"{len(recall_scores)} models", *self.spent, memory)

    def _with_weights(self, finalist: Finalist) -> Finalist:
        """A finalist that only its record is known of is trained now, unless it is on disk."""
        if finalist.model not in self.recorded:
            return finalist
        weights = self.recorded.weights_of(finalist.model)
        if weights is not None and not self._request.options["ensemble"]:
            return replace(finalist, weights=weights)
        selection = self._selection
        assert selection is not None
        run = self._torch_executor([finalist.model]).start(finalist.model)
        with progress(self._request.stages, f"training the winner {finalist.model}", "stage") as bar:
            while len(run.curve) < self._request.stages:
                check()
                point = run.advance()
                selection.epochs += self._request.stage_epochs
                selection.seconds += point.seconds
                bar.update()
        last = run.curve[-1]
        seconds = sum(point.seconds for point in run.curve)
        return Finalist(finalist.model, run, last.validation, run.test(), last.epoch, seconds)

    def _peak_memory(self) -> PeakMemory | None:
        if not self._request.trains:
            return None
        from modelstore.engine.loading import pick_device

        return PeakMemory(pick_device(self._request.options["device"]))

    def _executor(self, models: list[str]) -> Executor:
        request, store = self._request, self._session.store
        if not request.trains:
            return ReplayExecutor(
                request.target,
                store.curves.on(request.target, models, request.recipe.name, request.options["seed"]),
                store.results.on(request.target, request.recipe.name),
                request.options["stages_per_epoch"],
                self._done,
            )
        self._check_weights(models)
        return self.recorded.beside(lambda: self._torch_executor(models), self._done)

    def _check_weights(self, models: list[str]) -> None:
        registered = self._session.store.catalog.find_models(models)
        without = [name for name in models if name not in registered or not registered[name].uri]
        if without:
            raise ModelError(
                f'the model "{without[0]}" has no weights to train: register it with '
                "CREATE MODEL name FROM 'directory', or leave it out with WHERE"
            )

    def _torch_executor(self, models: list[str]) -> Executor:
        from modelstore.engine.torch_executor import TorchExecutor

        request = self._request
        assert request.dataset is not None
        registered = self._session.store.catalog.find_models(models)
        uris = {name: model.uri for name, model in registered.items() if model.uri}
        return TorchExecutor(
            {name: str(uri) for name, uri in uris.items()},
            data.load(self._session.store, request.dataset),
            training_options(request.recipe, request.options),
            self._states,
        )

    def _predictions(self) -> Predict:
        request, recipe = self._request, self._request.recipe
        if request.method == "probability_of_improvement":
            epochs = recipe.options["epochs"]
            return PooledPredictions(
                self._session.store, recipe.name, request.target, request.dataset, epochs
            )
        return TrendPredictions(self._session.store, recipe.name, request.target, request.options["trends"])


def epoch_seconds(session: Session, request: Request, names: list[str]) -> float | None:
    """The seconds that an epoch of one of the models on the target is expected to take; None: unknown."""
    costs = Costs(session.store.telemetry, request.recipe.name, on=request.target)
    parameters = session.store.catalog.parameters_of(names)
    return costs.mean_epoch(names, parameters, request.target, request.dataset)


def epochs_within(budget: Budget, epoch: float | None) -> float | None:
    """The epochs that a budget has room for, where one is expected to take ``epoch`` seconds; None: no limit."""
    limits = [] if budget.epochs is None else [budget.epochs]
    if budget.seconds is not None and epoch:
        limits.append(budget.seconds / epoch)
    return min(limits, default=None)


def expected_epochs(request: Request, contenders: int, stages: int, left: float | None) -> float:
    """What training so many models for so many stages is expected to take, where ``left`` epochs may be spent."""
    total, each = 0.0, request.stage_epochs
    remaining = contenders
    for to_come in range(stages, 0, -1):
        most = room(None if left is None else left - total, each, to_come, request.count)
        if most == 0:
            break
        remaining = int(min(remaining, most))
        total += remaining * each
        remaining = request.strategy.survivors(remaining, request.count)
    return total
