"""The loop of a selection: stage by stage, train who is left, then let the strategy drop (Algorithm 1)."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError, TrainingError
from modelstore.events import Began, Decided, Decision, Trained, Training
from modelstore.execution.client import WorkerLost
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.workers import Worker
from modelstore.interruption import check
from modelstore.progress import emit, progress
from modelstore.records import CurvePoint
from modelstore.selection.budget import NO_LIMIT, Budget, max_affordable
from modelstore.selection.strategy import Prediction, StageResult, Strategy
from modelstore.training.run import Executor, Run

# The final scores predicted from the curves so far of the models that are left, where records say anything of them.
Predict = Callable[[Mapping[str, Sequence[CurvePoint]]], Mapping[str, Prediction]]


class _TimeUp(Exception):
    """The budget's seconds have passed in the midst of a stage."""


@dataclass(frozen=True)
class _Turn:
    """What became of a model in a stage; neither a point nor an error where it had no room in the budget.

    ``before`` is the epoch that it was at.
    """

    model: str
    point: CurvePoint | None = None
    before: float = 0.0
    error: Exception | None = None


@dataclass(frozen=True)
class Finalist:
    """A winner with its run, trained to the end unless a budget ended it before; ``test`` is its score on test."""

    model: str
    run: Run
    validation: float
    test: float
    epochs: float
    seconds: float
    weights: Path | None = None  # where it is on disk already


@dataclass
class Selection:
    """A selection under way.

    ``recall_scores`` names the models and breaks ties; ``keep`` is how many are wanted at the end. The workers of
    ``executors`` train side by side; a run goes on with another of them from where its executor has it.
    ``on_stage`` is given each stage's decisions as soon as they are made, with the runs of those that stay.
    A selection that goes on begins after the stages ``done``, with the models that stayed in them.
    ``epochs`` and ``seconds`` count what is trained here. With those spent ``before`` they are kept within the
    ``budget``: who has no room in it, by what a stage takes of a model (``stage_epochs``, and ``stage_seconds``
    where that is known), is dropped, and where nobody has, the best so far wins, its run perhaps in the midst of a
    stage. Time is told by the ``clock``; where that is None, the runs' own seconds are counted.
    What the models that are ``free`` go through, being on record, costs nothing.
    """

    recall_scores: Mapping[str, float]
    executors: Mapping[Worker, Executor]
    strategy: Strategy
    stages: int
    keep: int
    predict: Predict
    on_stage: Callable[[Sequence[Decision], Mapping[str, Run]], None]
    done: int = 0
    budget: Budget = NO_LIMIT
    before: tuple[float, float] = (0.0, 0.0)
    stage_epochs: float = 1.0
    stage_seconds: float | None = None
    clock: Callable[[], float] | None = None
    free: Container[str] = ()
    epochs: float = 0.0
    seconds: float = 0.0
    _runs: dict[str, Run] = field(default_factory=dict)
    _with: dict[str, Worker] = field(default_factory=dict)
    _began: float = 0.0

    def run(self) -> list[Finalist]:
        """The ``keep`` best, best first. Raises ``TrainingError`` if no model can be trained."""
        try:
            return self._run()
        except BaseException:
            for model in list(self._runs):
                self._release(model)
            raise

    def _run(self) -> list[Finalist]:
        remaining = list(self.recall_scores)
        if self.clock is not None:
            self._began = self.clock()
        if self.budget and not self.done:
            remaining.sort(key=lambda model: -self.recall_scores[model])
        expected = self._expected(len(remaining), self.done)
        emit(Began(tuple(remaining), self.done, self.stages, expected, self.stage_epochs))
        for stage in range(self.done + 1, self.stages + 1):
            going, decisions = self._afford(stage, remaining)
            standings, failures, spent = self._train(stage, going)
            decisions += failures
            spent = spent or not going
            if spent and not standings:
                standings = self._as_they_are(going or remaining)
            if not standings:
                raise TrainingError(self._why_none(decisions))
            decisions += self._decide(stage, standings, stage == self.stages or spent)
            self.on_stage(decisions, self._runs)
            remaining = [decision.model for decision in decisions if decision.action in ("kept", "won")]
            emit(Decided(tuple(decisions), self._expected(len(remaining), stage)))
            if any(decision.action == "won" for decision in decisions):
                break
        return [self._finalist(model) for model in remaining]

    def _expected(self, left: int, done: int) -> int:
        """How often a model is to go through a stage yet."""
        total = 0
        for _ in range(self.stages - done):
            total += left
            left = self.strategy.survivors(left, self.keep)
        return total

    def _why_none(self, decisions: Sequence[Decision]) -> str:
        failed = [decision.reason or "" for decision in decisions if decision.action == "failed"]
        if failed:
            return f"none of the models could be trained: {'; '.join(failed)}"
        return f"the budget of {self.budget} ends before a model has gone through one stage: give it more"

    def _afford(self, stage: int, models: Sequence[str]) -> tuple[list[str], list[Decision]]:
        """Those who may go through a stage within the budget, the best first; the others are dropped.

        Where there is no room for as many as are wanted, nobody goes on, for the best so far to win.
        """
        left = self.stages - stage + 1
        budget = self.budget
        epochs = None if budget.epochs is None else budget.epochs - self._epochs_spent()
        seconds = None if budget.seconds is None else budget.seconds - self._elapsed()
        in_time = max_affordable(seconds, self._usual_seconds(models), left, self.keep, self._at_once)
        if not self._runs:  # what is expected may be wrong: it is tried
            in_time = max(in_time, self.keep)
        most = min(max_affordable(epochs, self.stage_epochs, left, self.keep), in_time)
        if most == 0:
            return [], []
        costly = [model for model in models if model not in self.free]
        out = [] if most >= len(costly) else costly[int(most) :]
        decisions = []
        for model in out:
            self._release(model)
            reason = f"the budget of {budget} has room for {int(most)} in this stage"
            decisions.append(Decision(stage, model, None, None, "dropped", reason))
        return [model for model in models if model not in out], decisions

    def _elapsed(self) -> float:
        return self.before[1] + (self.seconds if self.clock is None else self.clock() - self._began)

    def _epochs_spent(self) -> float:
        return self.before[0] + self.epochs

    def _usual_seconds(self, models: Sequence[str]) -> float | None:
        """The mean that a stage takes of these models, by their last ones."""
        trained = [model for model in models if model in self._runs and model not in self.free]
        last = [self._runs[model].curve[-1].seconds for model in trained]
        return sum(last) / len(last) if last else self.stage_seconds

    def _has_room_beside(
        self, standings: Sequence[StageResult], under_way: int, stage: int, began: float
    ) -> bool:
        """Whether there is time for one more in a stage that began then, by what it took of those before it."""
        if self.budget.seconds is None or len(standings) < self.keep:
            return True
        usual = self._usual_seconds([standing.model for standing in standings])
        left = self.budget.seconds - began
        return under_way < max_affordable(left, usual, self.stages - stage + 1, self.keep, self._at_once)

    def _has_room(self, model: str) -> bool:
        """Whether one model's next stage is within the budget, by what its last one took."""
        budget, run = self.budget, self._runs[model]
        if model in self.free:
            return True
        if budget.epochs is not None and self._epochs_spent() + self.stage_epochs > budget.epochs + 1e-9:
            return False
        return budget.seconds is None or self._elapsed() + (run.next_seconds or 0.0) <= budget.seconds

    def _as_they_are(self, models: Sequence[str]) -> list[StageResult]:
        """The standings of models that have gone through a stage before."""
        points = {model: self._runs[model].curve for model in models if model in self._runs}
        standings = [
            StageResult(model, curve[-1].validation, self.recall_scores[model])
            for model, curve in points.items()
            if curve
        ]
        return self._predicted(standings)

    def _train(self, stage: int, models: Sequence[str]) -> tuple[list[StageResult], list[Decision], bool]:
        """The standings of those who went through the stage, who failed or had no turn, if the budget is spent."""
        standings: list[StageResult] = []
        failures: list[Decision] = []
        waiting, training = list(models), list[str]()
        time_is_up, began = False, self._elapsed()

        def take(worker: Worker, another: bool) -> Job[_Turn] | None:
            check()
            for standing in [one for one in standings if self._is_lost(one.model)]:
                standings.remove(standing)
                waiting.append(standing.model)
            mine = [model for model in waiting if another or self._with.get(model) in (worker, None)]
            under_way = len(standings) + len(training)
            if time_is_up or not mine or not self._has_room_beside(standings, under_way, stage, began):
                return None
            model = mine[0]
            waiting.remove(model)
            training.append(model)
            bar.set_postfix_str(", ".join(training))
            emit(Training(tuple(training)))
            return lambda worker, on_batch: self._turn(worker, model, on_batch, bar, len(models))

        def done(turn: _Turn) -> None:
            nonlocal time_is_up
            training.remove(turn.model)
            emit(Training(tuple(training)))
            if turn.error is not None:
                # The others go on; this one is out, and the record says why.
                self._release(turn.model)
                failures.append(Decision(stage, turn.model, None, None, "failed", str(turn.error)))
            elif turn.point is None:
                time_is_up = True
            else:
                standings.append(self._standing(turn.model, turn.before, turn.point))
                emit(Trained(turn.model, turn.point.validation, self.epochs))
            through = len(models) - len(waiting) - len(training)
            bar.update(max(0, bar.total * through // len(models) - bar.n))

        with progress(len(models), f"stage {stage}/{self.stages}", "batch") as bar:
            try:
                on_batch = self._until_time_is_up(bar.update)
                run_jobs(list(self.executors), len(models), take, done, on_batch)
            except _TimeUp:
                time_is_up = True
        # In the order of their turns, whoever was ready first.
        standings.sort(key=lambda standing: models.index(standing.model))
        failures.sort(key=lambda failure: models.index(failure.model))
        if standings:
            had_their_turn = {standing.model for standing in standings} | {one.model for one in failures}
            for model in models:
                if model not in had_their_turn:
                    self._release(model)
                    reason = f"the budget of {self.budget} had no room for it in this stage"
                    failures.append(Decision(stage, model, None, None, "dropped", reason))
        return self._predicted(standings), failures, time_is_up

    def _turn(self, worker: Worker, model: str, on_batch: OnBatch, bar: Any, models: int) -> _Turn:
        """A model's way through a stage with a worker."""
        try:
            run = self._run_with(worker, model)
            bar.total = run.next_batches * models  # all have as many: they train on the same rows
            if not self._has_room(model):
                return _Turn(model)
            before = run.curve[-1].epoch if run.curve else 0.0
            return _Turn(model, run.advance(on_batch=on_batch), before)
        except WorkerLost:
            raise
        except (ModelError, TrainingError) as error:
            return _Turn(model, error=error)

    def _run_with(self, worker: Worker, model: str) -> Run:
        """A model's run: started with the worker where it has not begun, or is with another.

        One on record is with nobody: it is walked on from where it is.
        """
        before = self._runs.get(model)
        if before is None or (self._with[model] is not worker and model not in self.free):
            self._runs[model] = self.executors[worker].start(model)
            self._with[model] = worker
            if before is not None:
                before.release()
        return self._runs[model]

    def _is_lost(self, model: str) -> bool:
        """Whether the run of a model has gone with its worker."""
        return model not in self.free and not self._with[model].alive

    @property
    def _at_once(self) -> int:
        return sum(worker.alive for worker in self.executors)

    def _standing(self, model: str, before: float, point: CurvePoint) -> StageResult:
        """Where a model is that went on from epoch ``before``."""
        if model not in self.free:
            self.epochs += point.epoch - before
            self.seconds += point.seconds
        return StageResult(model, point.validation, self.recall_scores[model])

    def _until_time_is_up(self, on_batch: OnBatch) -> OnBatch:
        limit, clock = self.budget.seconds, self.clock
        if limit is None or clock is None:
            return on_batch

        def after_batch(count: int = 1) -> None:
            on_batch(count)
            if self._elapsed() > limit:
                raise _TimeUp

        return after_batch

    def _predicted(self, standings: list[StageResult]) -> list[StageResult]:
        if not self.strategy.predicts or len(standings) < 2:
            return standings
        predicted = self.predict({standing.model: self._runs[standing.model].curve for standing in standings})
        return [
            replace(
                standing,
                predicted=predicted[standing.model].score,
                deviation=predicted[standing.model].deviation,
            )
            if standing.model in predicted
            else standing
            for standing in standings
        ]

    def _decide(self, stage: int, standings: Sequence[StageResult], last: bool) -> list[Decision]:
        best_first = self.strategy.rank(standings)
        if last:
            won = {standing.model for standing in best_first[: self.keep]}
            judged, when = self.strategy.judges_by, self._when(standings)
            reasons = {
                s.model: f"best {judged} {when}" if s.model in won else f"{judged} {when}" for s in standings
            }
            if len(standings) == 1 and when == "at the end":
                reasons = {}
            dropped = {s.model: reasons[s.model] for s in standings if s.model not in won}
        else:
            won, reasons = set(), {}
            drops = self.strategy.drop(standings, self.keep) if len(standings) > self.keep else []
            dropped = {drop.model: drop.reason for drop in drops}
        decisions = []
        for standing in best_first:
            action = "dropped" if standing.model in dropped else "won" if standing.model in won else "kept"
            if action == "dropped":
                self._release(standing.model)
            reason = dropped.get(standing.model) or reasons.get(standing.model)
            decisions.append(
                Decision(stage, standing.model, standing.validation, standing.predicted, action, reason)
            )
        return decisions

    def _when(self, standings: Sequence[StageResult]) -> str:
        done = len(self._runs[standings[0].model].curve)
        if done == self.stages:
            return "at the end"
        reached, whole = (stages * self.stage_epochs for stages in (done, self.stages))
        return f"after {reached:g} of {whole:g} epochs, when the budget of {self.budget} was spent"

    def _release(self, model: str) -> None:
        run = self._runs.pop(model, None)
        self._with.pop(model, None)
        if run is not None:
            run.release()

    def _finalist(self, model: str) -> Finalist:
        run = self._runs[model]
        last = run.curve[-1]
        return Finalist(
            model, run, last.validation, run.test(), last.epoch, sum(point.seconds for point in run.curve)
        )
