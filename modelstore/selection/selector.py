"""The loop of a selection: stage by stage, train who is left, then let the strategy drop (Algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from modelstore.engine.progress import progress
from modelstore.engine.run import CurvePoint, Executor, Run
from modelstore.errors import ModelError, TrainingError
from modelstore.interruption import check
from modelstore.selection.strategy import Prediction, Standing, Strategy

# Given the curves so far of the models that are left: the final scores predicted, of those that records say anything of.
Predict = Callable[[Mapping[str, Sequence[CurvePoint]]], Mapping[str, Prediction]]


@dataclass(frozen=True)
class Decision:
    """What became of a model at a stage: ``action`` is kept, dropped, failed or won."""

    stage: int
    model: str
    validation: float | None
    predicted: float | None
    action: str
    reason: str | None


@dataclass(frozen=True)
class Finalist:
    """A model trained to the end, with its run; ``test`` is its score on the target's test split."""

    model: str
    run: Run
    validation: float
    test: float
    epochs: float
    seconds: float


@dataclass
class Selection:
    """A selection under way.

    ``recall_scores`` names the models and breaks ties; ``keep`` is how many are wanted at the end;
    ``on_stage`` is given each stage's decisions as soon as they are made, with the runs of those that stay.
    A selection that goes on begins after the stages ``done``, with the models that stayed in them.
    ``epochs`` and ``seconds`` count what is trained here.
    """

    recall_scores: Mapping[str, float]
    executor: Executor
    strategy: Strategy
    stages: int
    keep: int
    predict: Predict
    on_stage: Callable[[Sequence[Decision], Mapping[str, Run]], None]
    done: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    _runs: dict[str, Run] = field(default_factory=dict)

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
        for stage in range(self.done + 1, self.stages + 1):
            standings, decisions = self._train(stage, remaining)
            if not standings:
                reasons = "; ".join(decision.reason or "" for decision in decisions)
                raise TrainingError(f"none of the models could be trained: {reasons}")
            decisions += self._decide(stage, standings)
            self.on_stage(decisions, self._runs)
            remaining = [decision.model for decision in decisions if decision.action in ("kept", "won")]
        return [self._finalist(model) for model in remaining]

    def _train(self, stage: int, models: Sequence[str]) -> tuple[list[Standing], list[Decision]]:
        standings: list[Standing] = []
        failures: list[Decision] = []
        with progress(len(models), f"stage {stage}/{self.stages}", "batch") as bar:
            for number, model in enumerate(models, 1):
                check()
                bar.set_postfix_str(model)
                try:
                    if model not in self._runs:
                        self._runs[model] = self.executor.start(model)
                    # All have as many batches: they train on the same rows.
                    bar.total = self._runs[model].next_batches * len(models)
                    standings.append(self._advance(model, bar.update))
                except (ModelError, TrainingError) as error:
                    # The others go on; this one is out, and the record says why.
                    self._release(model)
                    failures.append(Decision(stage, model, None, None, "failed", str(error)))
                bar.update(bar.total * number // len(models) - bar.n)
        if self.strategy.predicts and len(standings) > 1:
            standings = self._with_predictions(standings)
        return standings, failures

    def _advance(self, model: str, on_batch: Callable[[], None]) -> Standing:
        run = self._runs[model]
        before = run.curve[-1].epoch if run.curve else 0.0
        point = run.advance(on_batch=on_batch)
        self.epochs += point.epoch - before
        self.seconds += point.seconds
        return Standing(model, point.validation, self.recall_scores[model])

    def _with_predictions(self, standings: Sequence[Standing]) -> list[Standing]:
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

    def _decide(self, stage: int, standings: Sequence[Standing]) -> list[Decision]:
        best_first = self.strategy.rank(standings)
        if stage == self.stages:
            won = {standing.model for standing in best_first[: self.keep]}
            judged = self.strategy.judges_by
            reasons = {
                s.model: f"best {judged} at the end" if s.model in won else f"{judged} at the end"
                for s in standings
            }
            reasons = {model: reason for model, reason in reasons.items() if len(standings) > 1}
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

    def _release(self, model: str) -> None:
        run = self._runs.pop(model, None)
        if run is not None:
            run.release()

    def _finalist(self, model: str) -> Finalist:
        run = self._runs[model]
        last = run.curve[-1]
        return Finalist(
            model, run, last.validation, run.test(), last.epoch, sum(point.seconds for point in run.curve)
        )
