"""What carries out a selection's stages: replays of records, and workers that train."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from modelstore.errors import INTERRUPTIONS, DatasetError, StoreError, reason_of
from modelstore.events import ModelsInTraining, ModelTrained
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.worker import Worker, WorkerLost
from modelstore.execution.workers import Workers
from modelstore.interruption import check
from modelstore.planner.select.fetching import Fetching
from modelstore.progress import emit, progress
from modelstore.records import CurvePoint
from modelstore.selection.replay import ReplayExecutor, ReplayRun
from modelstore.selection.stage import Stage
from modelstore.training.run import Executor, TrainingRun

Result = TypeVar("Result")
Note = Callable[[], None]  # enters in the stage what became of a model


class ReplayTrainer:
    """Walks recorded runs, one after another."""

    at_once = 1

    def __init__(self, executor: ReplayExecutor):
        self._executor = executor
        self._runs: dict[str, ReplayRun] = {}

    def curves(self) -> Mapping[str, Sequence[CurvePoint]]:
        return {model: run.curve for model, run in self._runs.items()}

    def train(self, stage: Stage) -> None:
        self.walk(stage, stage.models)

    def walk(self, stage: Stage, models: Collection[str]) -> None:
        """Walks those of the stage's models that are named."""
        while (model := stage.take(wanted=lambda model: model in models)) is not None:
            check()
            emit(ModelsInTraining((model,)))
            self._walk_one(stage, model)
            emit(ModelsInTraining(()))

    def _walk_one(self, stage: Stage, model: str) -> None:
        if model not in self._runs:
            self._runs[model] = self._executor.start(model)
        run = self._runs[model]
        if not stage.allows(model, run.next_seconds):
            stage.end_early(model)
            return
        before = run.curve[-1].epoch if run.curve else 0.0
        _enter(stage, model, before, run.advance())

    def test(self, model: str) -> float:
        return self._runs[model].test()

    def finish(self, model: str) -> None:
        """Walks a run to the end of its record, at no cost."""
        run = self._runs[model]
        while not run.is_done:
            run.advance()

    def release(self, model: str) -> None:
        self._runs.pop(model, None)


class WorkerTrainer:
    """Trains models on several workers at the same time; runs on record are walked instead.

    Parameters
    ----------
    workers
        Who trains.
    executor
        Gives what starts runs on a worker, or continues them from a checkpoint.
    recorded
        Walks the runs on record.
    on_record
        The models that have such a run.
    stages
        How many stages the selection has.
    fetching
        Where the models are, some of which come meanwhile.

    Attributes
    ----------
    runs
        The runs in training, by model.
    """

    def __init__(
        self,
        workers: Workers,
        executor: Callable[[Worker], Executor],
        recorded: ReplayTrainer,
        on_record: Collection[str],
        stages: int,
        fetching: Fetching,
    ):
        self.runs: dict[str, TrainingRun] = {}
        self._workers = workers
        self._make_executor = executor
        self._executors: dict[Worker, Executor] = {}
        self._recorded = recorded
        self._on_record = on_record
        self._stages = stages
        self._fetching = fetching
        self._worker_of: dict[str, Worker] = {}

    @property
    def at_once(self) -> int:
        return self._workers.at_once

    def curves(self) -> Mapping[str, Sequence[CurvePoint]]:
        return {**self._recorded.curves(), **{model: run.curve for model, run in self.runs.items()}}

    def train(self, stage: Stage) -> None:
        self._recorded.walk(stage, self._on_record)
        with progress(len(stage.models), f"stage {stage.number}/{self._stages}", "batch") as bar:
            try:
                self._run_jobs(stage, bar)
            except _TimeUp:
                stage.out_of_budget = True

    def test(self, model: str) -> float:
        if model in self.runs:
            return self.with_all_runs(lambda: self.runs[model].test())
        self._recorded.finish(model)  # the winner's weights are those of its whole run
        return self._recorded.test(model)

    def with_all_runs(self, do: Callable[[], Result]) -> Result:
        """Does something with runs; those that are lost with their workers meanwhile are trained again elsewhere."""
        while True:
            try:
                return do()
            except WorkerLost:
                lost = [model for model in self.runs if self._is_lost(model)]
                if not lost:
                    raise
                self._catch_up(lost)

    def _catch_up(self, models: Sequence[str]) -> None:
        """Trains runs again as far as they were, from where they were saved last."""
        waiting = [(model, len(self.runs[model].curve)) for model in models]

        def again(worker: Worker, on_batch: OnBatch, model: str, stages: int) -> None:
            run = self.run_on(worker, model)
            while len(run.curve) < stages:
                run.advance(on_batch=on_batch)

        def take(worker: Worker, another: bool) -> Job[None] | None:
            check()
            if not waiting:
                return None
            model, stages = waiting.pop()
            return partial(again, model=model, stages=stages)

        run_jobs(self._workers, len(models), take, lambda _: None, lambda count=1: None)

    def release(self, model: str) -> None:
        self._fetching.release(model)
        self._recorded.release(model)
        self._worker_of.pop(model, None)
        run = self.runs.pop(model, None)
        if run is not None:
            run.release()

    def _run_jobs(self, stage: Stage, bar: Any) -> None:
        def on_batch(count: int = 1) -> None:
            bar.update(count)
            if stage.late:
                raise _TimeUp

        def take(worker: Worker, another: bool) -> Job[Note] | None:
            check()
            for lost in [one for one in stage.points if self._is_lost(one)]:
                stage.put_back(lost)
            model = self._take(stage, worker, another)
            if model is None:
                return None
            self._fetching.receive(model)
            bar.set_postfix_str(", ".join(stage.training))
            emit(ModelsInTraining(tuple(stage.training)))
            return lambda worker, on_batch: self._advance(worker, model, stage, bar, on_batch)

        def done(note: Note) -> None:
            note()
            emit(ModelsInTraining(tuple(stage.training)))
            bar.update(max(0, bar.total * stage.through // len(stage.models) - bar.n))

        run_jobs(self._workers, len(stage.models), take, done, on_batch)

    def _take(self, stage: Stage, worker: Worker, another: bool) -> str | None:
        """The next model for a worker: one that is here, or the next to come where nothing trains meanwhile."""

        def suits(model: str) -> bool:
            return self._fetching.is_here(model) and (another or self._worker_of.get(model) in (worker, None))

        while (model := stage.take(self.at_once, suits)) is None:
            waits = another and not stage.training and stage.has_next(self.at_once)
            if not waits or not self._fetching.wait():
                return None
        return model

    def _advance(self, worker: Worker, model: str, stage: Stage, bar: Any, on_batch: OnBatch) -> Note:
        """Trains a model for one stage on a worker; what became of it is entered by the thread of the statement."""
        try:
            run = self.run_on(worker, model)
            bar.total = run.next_batches * len(stage.models)  # all have as many: they train on the same rows
            if not stage.allows(model, run.next_seconds):
                return partial(stage.end_early, model)
            before = run.curve[-1].epoch if run.curve else 0.0
            return partial(_enter, stage, model, before, run.advance(on_batch=on_batch))
        except (*INTERRUPTIONS, _TimeUp, WorkerLost, DatasetError, StoreError):
            raise  # these would end every model
        except BaseException as error:  # libraries in native code raise what is no Exception
            return partial(self._fail, stage, model, reason_of(error))

    def _fail(self, stage: Stage, model: str, reason: str) -> None:
        """Drops a model that cannot be trained; the others go on, and the log says why this one does not."""
        self.release(model)
        stage.fail(model, reason)

    def run_on(self, worker: Worker, model: str) -> TrainingRun:
        """The model's run on a worker: started there where it has not begun, or is with another one."""
        before = self.runs.get(model)
        if before is None or self._worker_of[model] is not worker:
            if worker not in self._executors:
                self._executors[worker] = self._make_executor(worker)
            self.runs[model] = self._executors[worker].start(model)
            self._worker_of[model] = worker
            if before is not None:
                before.release()
        return self.runs[model]

    def _is_lost(self, model: str) -> bool:
        """Whether the model's run has gone with its worker."""
        return model in self._worker_of and not self._worker_of[model].alive


class _TimeUp(Exception):
    """The budget's seconds have passed in the midst of a stage."""


def _enter(stage: Stage, model: str, before: float, point: CurvePoint) -> None:
    stage.add(model, before, point)
    emit(ModelTrained(model, point, stage.epochs))
