"""The training of a selection: who is trained on the target stage by stage, and what it costs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from modelstore.data.hub import ModelRefs
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.events import Decision
from modelstore.execution.local import LocalWorker
from modelstore.execution.pool import worker_pool
from modelstore.execution.worker import Worker
from modelstore.interruption import check
from modelstore.options import TrainingOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import load_dataset
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.select.estimate import TrainingEstimate
from modelstore.planner.select.forecasts import PooledPredictions, TrendPredictions
from modelstore.planner.select.request import Request
from modelstore.planner.select.reusable_runs import ReusableRuns
from modelstore.progress import progress
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import (
    ProbabilityOfImprovement,
)
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.selector import Finalist, Predict, Selection
from modelstore.training.run import Executor, Run


class Training(Step):
    """The stages of a selection, after those that are ``done``: who is trained, and who goes after each.

    ``contenders`` is how many begin; ``states`` has the files of the runs that go on. ``before`` is what recall is
    expected to take of the budget, in epochs.
    """

    def __init__(
        self,
        context: StatementContext,
        request: Request,
        source: Step,
        models: Models,
        contenders: int,
        done: int = 0,
        states: Mapping[str, Path] | None = None,
        before: float = 0.0,
    ):
        self._context = context
        self._request = request
        self._source = source
        self._models = models
        self._contenders = contenders
        self._done = done
        self._states = dict(states or {})
        self._before = before
        self.recorded = ReusableRuns(context, request)
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

    @cached_property
    def _outlook(self) -> TrainingEstimate:
        return TrainingEstimate(self._context, self._request, self._models.candidates.names, self._contenders)

    def expected(self) -> Cost:
        request, outlook = self._request, self._outlook
        names = self._models.candidates.names
        whole = outlook.cost(self._contenders, request.stages - self._done, self._before)
        assert whole.epochs is not None
        known = sum(name in self.recorded for name in names)
        # What is on record is not trained, but for a winner among it.
        share = known / len(names)
        epochs = whole.epochs + share * (request.finishing - whole.epochs)
        seconds = whole.seconds
        if seconds is not None and outlook.epoch is not None:
            seconds += share * (request.finishing * outlook.epoch - seconds)
        of = f" ({known} of {len(names)} on record)" if known else ""
        together = f", {outlook.at_once} at once" if outlook.at_once > 1 else ""
        memory = outlook.placement.memory if request.trains else None
        return Cost(f"{self._contenders} models{of}{together}", epochs, seconds, memory)

    @property
    def spent(self) -> tuple[float, float]:
        """Epochs, and seconds of training, so far."""
        return (self._selection.epochs, self._selection.seconds) if self._selection else (0.0, 0.0)

    @contextmanager
    def worker_pool(self) -> Iterator[list[Worker]]:
        """Who trains, in the block: begun before recall, as many as there may be to train at the same time."""
        if not self._request.trains:
            yield [LocalWorker("cpu")]
            return
        unknown = sum(name not in self.recorded for name in self._models.candidates.names)
        with worker_pool(self._outlook.placement.devices[: max(1, unknown)]) as workers:
            yield workers

    def kept(self, states: Mapping[str, Path]) -> None:
        """Where the runs are on disk from now on."""
        self._states.clear()
        self._states.update(states)

    def run(
        self,
        workers: Sequence[Worker],
        recall_scores: dict[str, float],
        on_stage: Callable[[Sequence[Decision], Mapping[str, Run]], None],
        before: tuple[float, float] = (0.0, 0.0),
    ) -> list[Finalist]:
        """Trains the models that have recall scores; ``on_stage`` is as in `Selection`.

        ``before``: the epochs and seconds of the budget that are spent already. The finalists' runs are with the
        ``workers``, and of use as long as those are.
        """
        request = self._request
        names = list(recall_scores)
        epoch = self._outlook.epoch if request.budget.seconds is not None else None
        # A winner that is on record may have to be trained yet.
        known = any(name in self.recorded for name in names)
        reserved = request.finishing if request.budget and known else 0.0
        executors = self._executors(workers, names)
        self._selection = Selection(
            recall_scores=recall_scores,
            executors=executors,
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
        peaks: list[Any] = []
        try:
            with ExitStack() as stack:
                if request.trains:
                    peaks = [stack.enter_context(worker.peak_memory()) for worker in workers]
                finalists = self._selection.run()
                return [self._with_weights(finalist, workers[0]) for finalist in finalists]
        finally:
            known_bytes = [peak.bytes for peak in peaks if peak.bytes is not None]
            memory = sum(known_bytes) if known_bytes else None
            self.actual = Cost(f"{len(recall_scores)} models", *self.spent, memory)

    def _with_weights(self, finalist: Finalist, worker: Worker) -> Finalist:
        """A finalist that only its record is known of is trained now, unless it is on disk."""
        if finalist.model not in self.recorded:
            return finalist
        weights = self.recorded.weights_of(finalist.model)
        if weights is not None and not self._request.options["ensemble"]:
            return replace(finalist, weights=weights)
        selection = self._selection
        assert selection is not None
        run = self._trainer(worker, self._refs([finalist.model])).start(finalist.model)
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

    def _executors(self, workers: Sequence[Worker], models: list[str]) -> dict[Worker, Executor]:
        request, store = self._request, self._context.store
        if not request.trains:
            [worker] = workers
            return {
                worker: ReplayExecutor(
                    request.target,
                    store.curves.on(request.target, models, request.recipe.name, request.options["seed"]),
                    store.results.on(request.target, request.recipe.name),
                    request.options["stages_per_epoch"],
                    self._done,
                )
            }
        self._check_weights(models)
        refs = self._refs(models)
        return {worker: self.recorded.beside(self._trainer(worker, refs), self._done) for worker in workers}

    def _check_weights(self, models: list[str]) -> None:
        registered = self._context.store.catalog.find_models(models)
        without = [name for name in models if name not in registered or not registered[name].uri]
        if without:
            raise ModelError(
                f'the model "{without[0]}" has no weights to train: register it with '
                "CREATE MODEL name FROM 'directory', or leave it out with WHERE"
            )

    def _refs(self, models: list[str]) -> ModelRefs:
        registered = self._context.store.catalog.find_models(models)
        return ModelRefs({name: model.uri for name, model in registered.items() if model.uri})

    def _trainer(self, worker: Worker, refs: ModelRefs) -> Executor:
        """What trains models on the target with a worker."""
        options = TrainingOptions.of(self._request.options)
        return worker.executor(refs, self._rows, options, self._states)

    @cached_property
    def _rows(self) -> TaskData:
        assert self._request.dataset is not None
        return load_dataset(self._context.store, self._request.dataset)

    def _predictions(self) -> Predict:
        request, recipe = self._request, self._request.recipe
        if request.method == "probability_of_improvement":
            epochs = recipe.options.epochs
            return PooledPredictions(
                self._context.store, recipe.name, request.target, request.dataset, epochs
            )
        return TrendPredictions(self._context.store, recipe.name, request.target, request.options["trends"])
