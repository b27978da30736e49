"""The stages of a selection that trains: on workers, with runs on record walked instead of trained again."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property, partial
from typing import Any

from modelstore.data.hub import ModelRefs, address_of, must_be_fetched
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.events import Decision
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.worker import Worker
from modelstore.execution.workers import Workers
from modelstore.interruption import check
from modelstore.planner.contents import fault_of_model
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import load_dataset
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Step
from modelstore.planner.recipes import training_details
from modelstore.planner.select.arm_executor import ArmExecutor
from modelstore.planner.select.estimate import TrainingCost
from modelstore.planner.select.fetching import Fetching
from modelstore.planner.select.forecasts import Validations
from modelstore.planner.select.hub_models import HubModels
from modelstore.planner.select.replayed_epochs import ReplayedEpochs
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.reusable_runs import ReusableRuns
from modelstore.planner.select.stages import Stages
from modelstore.planner.select.trainers import WorkerTrainer
from modelstore.planner.select.winners import Chosen, SavedWinner, TrainedWinner, Winner
from modelstore.progress import progress
from modelstore.selection.budget import Ledger
from modelstore.selection.loop import Finalist
from modelstore.store.registered import Dataset
from modelstore.training.run import Executor, TrainingRun


class TrainedStages(Stages):
    """Trains models on the target, each by its arm's recipe; a whole run on record is not trained again.

    Parameters
    ----------
    dataset
        The target.
    checkpoints
        The files of the runs that go on, by arm.

    The other parameters are as in `Stages`.
    """

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        source: Step,
        models: Models,
        contenders: int,
        done: int,
        before: float,
        earlier: Validations,
        dataset: Dataset,
        checkpoints: Mapping[str, AnyPath],
    ):
        super().__init__(context, request, source, models, contenders, done, before, earlier)
        self._dataset = dataset
        self._checkpoints = dict(checkpoints)
        self._reusable = ReusableRuns(context, request)
        self._replays: ReplayedEpochs | None = None
        self._recall_epochs = 0.0

    def expect(self, replays: ReplayedEpochs, recall: float) -> None:
        """Lets the step expect the epochs that replays took, of which recall takes ``recall``."""
        self._replays, self._recall_epochs = replays, recall

    def _expected_training(self) -> TrainingCost:
        """What training is expected to take: as replays did, scaled to so many models, or else as is usual."""
        usual = super()._expected_training()
        replayed = None if self._replays is None or self._done else self._replays.epochs
        if self._replays is None or replayed is None or not usual.epochs:
            return usual
        there = max(1, round(self._replays.models))
        if self._contenders < len(self._models.candidates.names):  # recall leaves so many there too
            there = min(there, self._contenders)
        usual_there = self._estimate.cost(there, 0, self._before).epochs
        epochs = max(
            self._least_epochs(usual.epochs), (replayed - self._recall_epochs) * usual.epochs / usual_there
        )
        share = epochs / usual.epochs
        return TrainingCost(epochs, None if usual.seconds is None else usual.seconds * share)

    def _least_epochs(self, usual: float) -> float:
        """The epochs that training takes at least: a first stage of all, and the winners to the end."""
        stages, count = self._request.stages, min(self._request.count, self._contenders)
        later = count * stages.left(2) if stages.count > 1 else 0.0
        least = (
            self._request.finishing if self._request.budget else self._contenders * stages.length(1) + later
        )
        return min(least, usual)

    def describe(self) -> str:
        details = training_details(self._request.arms.recipes)
        return super().describe() + details + self._estimate.placement.where

    def expected(self) -> Cost:
        arms, finishing = self._arms_of_candidates, self._request.finishing
        estimate = self._estimate
        whole = self._expected_training()
        known = sum(arm in self._reusable for arm in arms)
        # What is on record is not trained, but for a winner among it.
        share = known / len(arms)
        epochs = whole.epochs + share * (finishing - whole.epochs)
        seconds = whole.seconds
        times, probed = estimate.measured
        if seconds is not None and times is not None:
            stages = self._request.stages
            winners = self._request.count * times.whole(stages.left(1), stages.count)
            seconds += share * (winners - seconds)
        of = f" ({known} of {len(arms)} on record)" if known else ""
        together = f", {estimate.at_once} at once" if estimate.at_once > 1 else ""
        amount = f"{self._request.arms.count(self._contenders)}{of}{together}"
        return Cost(amount, epochs, seconds, estimate.placement.memory, probed)

    @property
    def _arms_of_candidates(self) -> list[str]:
        return self._request.arms.names(self._models.candidates.names)

    def workers(self) -> AbstractContextManager[Workers]:
        """The workers, in a block: started before recall, as many as there may be models to train at once."""
        to_train = sum(arm not in self._reusable for arm in self._arms_of_candidates)
        return self._estimate.placement.workers(max(1, to_train))

    def measure_costs(self, models: Sequence[str]) -> None:
        """Measures what models cost to use, where that counts and is unknown."""
        for step in self._measuring:
            step.run(models)

    def resume_from(self, checkpoints: Mapping[str, AnyPath]) -> None:
        """Lets runs that another worker takes over continue from these files, by arm."""
        self._checkpoints.clear()
        self._checkpoints.update(checkpoints)

    def run(
        self,
        workers: Workers,
        recall_scores: Mapping[str, float],
        on_stage: Callable[[Sequence[Decision], Mapping[str, TrainingRun]], None],
        before: tuple[float, float] = (0.0, 0.0),
    ) -> Chosen:
        """Trains the arms that have recall scores.

        Parameters
        ----------
        workers
            Who trains; the winners' runs stay with them.
        recall_scores
            As in `Selection`.
        on_stage
            Called with each stage's decisions, and the trained runs of the arms that stay.
        before
            The epochs and seconds of the budget that are spent already.
        """
        self.measure_costs(list(dict.fromkeys(map(self._request.arms.model_of, recall_scores))))
        recall_scores = {arm: recall_scores[arm] for arm in self._costs.only_known(list(recall_scores))}
        models = {arm: self._request.arms.model_of(arm) for arm in recall_scores}
        self._ledger = self._open_ledger(recall_scores, before)
        recorded = self._reusable.trainer(self._done)
        with self._fetching(models) as fetching, self._measured(workers, len(recall_scores)):
            trainer = WorkerTrainer(
                workers,
                partial(self._executor, fetching),
                recorded,
                self._reusable,
                self._request.stages.count,
                fetching,
            )
            selection = self._selection(
                trainer,
                recall_scores,
                lambda decisions: trainer.with_all_runs(lambda: on_stage(decisions, trainer.runs)),
            )
            finalists = self._told(selection.run())
            if self._request.options.ensemble:
                members = [self._trained(finalist, trainer, workers, fetching) for finalist in finalists]
                return Chosen(members, members)
            return Chosen([self._winner(finalist, trainer, workers, fetching) for finalist in finalists])

    def _open_ledger(self, models: Mapping[str, float], before: tuple[float, float]) -> Ledger:
        request = self._request
        # A winner that is on record may have to be trained yet.
        known = any(model in self._reusable for model in models)
        reserved = request.finishing if request.budget and known else 0.0
        return Ledger(
            request.stages,
            request.budget,
            (before[0] + reserved, before[1]),
            self._epoch_seconds,
            free=self._reusable,
            clock=time.perf_counter,
            shares=request.strategy.shares_budget,
        )

    @contextmanager
    def _measured(self, workers: Workers, arms: int) -> Iterator[None]:
        """Notes what the block costs, the workers' memory included."""
        peaks: list[Any] = []
        try:
            with ExitStack() as stack:
                peaks = [stack.enter_context(worker.peak_memory()) for worker in workers.present()]
                yield
        finally:
            known = [peak.bytes for peak in peaks if peak.bytes is not None]
            self.actual = Cost(self._request.arms.count(arms), *self.spent, sum(known) if known else None)

    def _winner(
        self, finalist: Finalist, trainer: WorkerTrainer, workers: Workers, fetching: Fetching
    ) -> Winner:
        """Trains a winner known only from its record, unless its weights are on disk."""
        if finalist.model in self._reusable:
            directory = self._reusable.weights_of(finalist.model)
            if directory is not None:
                return SavedWinner(finalist, directory)
        return self._trained(finalist, trainer, workers, fetching)

    def _trained(
        self, finalist: Finalist, trainer: WorkerTrainer, workers: Workers, fetching: Fetching
    ) -> TrainedWinner:
        """Trains a winner known only from its record; its weights will be in memory."""
        model = finalist.model
        if model not in self._reusable:
            return TrainedWinner(finalist, trainer)
        jobs: list[Job[None]] = [
            lambda worker, on_batch: self._train_whole(model, trainer.run_on(worker, model))
        ]
        fetching.receive(model)
        run_jobs(workers, 1, lambda *_: jobs.pop() if jobs else None, lambda _: None, lambda count=1: None)
        test, run = trainer.test(model), trainer.runs[model]
        return TrainedWinner(Finalist(model, run.curve, test, finalist.keep), trainer)

    def _train_whole(self, model: str, run: TrainingRun) -> None:
        stages = self._request.stages
        with progress(stages.count, f"training the winner {model}", "stage") as bar:
            while len(run.curve) < stages.count:
                check()
                before = run.curve[-1].epoch if run.curve else 0.0
                point = run.advance()
                self._ledger.charge(point.epoch - before + point.trial_epochs, point.seconds)
                bar.update()

    def _fetching(self, arms: Mapping[str, str]) -> Fetching:
        """Where the weights of the arms' models are; those on the hub alone are fetched when their turns come.

        Raises ``ModelError`` for a model without any.
        """
        store, models = self._context.store, list(dict.fromkeys(arms.values()))
        registered = store.catalog.find_models(models)
        unregistered = {name: address_of(name) for name in models if name not in registered}
        uris = unregistered | {name: model.uri for name, model in registered.items()}
        without = [name for name in models if not uris[name]]
        if without:
            raise ModelError(
                f'the model "{without[0]}" has no weights to train: register it with '
                "CREATE MODEL name FROM 'directory', or leave it out with WHERE"
            )
        faults = {name: fault_of_model(store, model) for name, model in registered.items()}
        changed = {name: fault for name, fault in faults.items() if fault is not None}
        where = {name: str(uris[name]) for name in models}
        trained = {model for arm, model in arms.items() if arm not in self._reusable}
        to_train = [name for name in models if name in trained]
        missing = [name for name in to_train if must_be_fetched(where[name], "model")]
        new = [name for name in to_train if name in unregistered]
        HubModels({name: where[name] for name in missing}, new).announce()
        return Fetching(
            store,
            ModelRefs(where, changed),
            where,
            [name for name in to_train if name in missing or name in new],
            list(unregistered),
            self._dataset.modality,
            arms,
        )

    def _executor(self, models: Fetching, worker: Worker) -> Executor:
        """What starts the arms' runs on a worker."""
        return ArmExecutor(self._request, worker, models, self._data, self._checkpoints)

    @cached_property
    def _data(self) -> TaskData:
        return load_dataset(self._context.store, self._dataset)
