"""The loop of a selection, Algorithm 1 of Cui et al.: train the models that are left for a stage, drop the worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelstore.errors import TrainingError
from modelstore.events import Began, Decided, Decision
from modelstore.records import CurvePoint, kept_point, trained_epochs
from modelstore.selection.budget import Ledger
from modelstore.selection.judge import AT_THE_END, Judge
from modelstore.selection.stage import Stage, StageTrainer
from modelstore.selection.strategy import expected_epochs


@dataclass(frozen=True)
class Finalist:
    """A winner.

    Parameters
    ----------
    model
        Its name.
    curve
        To the end, unless a budget ended it before.
    test
        The score on the test split of the point that counts.
    keep
        Which point of the curve counts: ``'best'``, that of the best validation, or ``'last'``.
    """

    model: str
    curve: Sequence[CurvePoint]
    test: float
    keep: str = "best"

    @property
    def point(self) -> CurvePoint:
        """The point of the curve that counts."""
        return kept_point(self.curve, self.keep)

    @property
    def validation(self) -> float:
        """The validation score of the point that counts."""
        return self.point.validation

    @property
    def epochs(self) -> float:
        """The epochs that it was trained for, those after the point that counts and those of trials included."""
        return trained_epochs(self.curve)

    @property
    def seconds(self) -> float:
        """The seconds that its training took."""
        return sum(point.seconds for point in self.curve)


@dataclass
class Selection:
    """Selects the best of some models by training them stage by stage.

    Parameters
    ----------
    recall_scores
        The models, with the scores that break ties.
    trainer
        Trains models for a stage, and holds their runs.
    judge
        Decides after each stage which models stay.
    ledger
        The stages, the budget, and what is spent of it.
    on_stage
        Called with a stage's decisions as soon as they are made: to store them.
    emit
        Called with the events of `modelstore.events`: to show them.
    done
        The stages that were completed before, where an interrupted selection goes on.
    """

    recall_scores: Mapping[str, float]
    trainer: StageTrainer
    judge: Judge
    ledger: Ledger
    on_stage: Callable[[Sequence[Decision]], None]
    emit: Callable[[object], None] = lambda event: None
    done: int = 0

    def run(self) -> list[Finalist]:
        """Trains and drops, stage by stage.

        Returns
        -------
        list of Finalist
            The best models, as many as the judge is to keep, the best first. The trainer still holds their
            runs.

        Raises
        ------
        TrainingError
            Where no model can be trained, or the budget is too small for one stage of one model.
        """
        try:
            winners = self._run_stages()
            return [self._finalist(model) for model in winners]
        except BaseException:
            for model in list(self.trainer.curves()):
                self.trainer.release(model)
            raise

    def _finalist(self, model: str) -> Finalist:
        test = self.trainer.test(model)
        return Finalist(model, self.trainer.curves()[model], test, self.judge.keep_point)

    def _run_stages(self) -> list[str]:
        """Algorithm 1: the winners, the best first."""
        models = self._begin()
        for number in range(self.done + 1, self.ledger.stages.count + 1):
            going, decisions = self._afford(number, models)
            stage = self._train(number, going)
            decisions += self._failed(stage)
            trained = list(stage.points)
            if stage.points:
                decisions += self._drop_without_turn(stage)
            elif stage.out_of_budget:
                trained = self._trained_before(going or models)
            if not trained:
                raise TrainingError(self._why_none(decisions))
            results = self.judge.results(trained, self.trainer.curves())
            if number == self.ledger.stages.count or stage.out_of_budget:
                decisions += self.judge.at_end(number, results, self._when(trained[0]))
            else:
                decisions += self.judge.after_stage(number, results)
            models = self._settle(number, decisions)
            if any(decision.action == "won" for decision in decisions):
                break
        return models

    def _begin(self) -> list[str]:
        """Starts the clock; where a budget limits the first stage, the best recalled go first."""
        models = list(self.recall_scores)
        self.ledger.start()
        if self.ledger.budget and not self.done:
            models.sort(key=lambda model: -self.recall_scores[model])
            models = self.judge.turns(models)
        expected, length = self._expected_epochs(len(models), self.done), self._next_length(self.done)
        pairs = any(self.judge.model_of(name) != name for name in models)
        self.emit(Began(tuple(models), self.done, self.ledger.stages.count, expected, length, pairs))
        return models

    def _afford(self, number: int, models: Sequence[str]) -> tuple[list[str], list[Decision]]:
        """Splits the models into those that may go through a stage within the budget, and those dropped for it.

        Where there is no room for as many as are wanted, none goes on, so that the best so far win.
        """
        keep = self.judge.keep
        curves, free = self.trainer.curves(), self.ledger.free
        last = [curves[model][-1].seconds for model in models if model in curves and model not in free]
        most = self.ledger.affordable(number, keep, last, self.trainer.at_once, first=not curves)
        if most == 0:
            return [], []
        costly = [model for model in models if model not in free]
        out = [] if most >= len(costly) else costly[int(most) :]
        reason = f"the budget of {self.ledger.budget} has room for {most:.0f} in this stage"
        return [model for model in models if model not in out], self._drop(number, out, reason)

    def _train(self, number: int, models: Sequence[str]) -> Stage:
        """Trains the models for one stage; without any, the stage is out of budget from the start."""
        stage = Stage(number, models, self.judge.keep, self.ledger)
        stage.out_of_budget = not models
        self.trainer.train(stage)
        # In the order of their turns, whichever was ready first.
        stage.points = {model: stage.points[model] for model in models if model in stage.points}
        return stage

    def _failed(self, stage: Stage) -> list[Decision]:
        return [
            Decision(stage.number, model, None, None, "failed", stage.failures[model])
            for model in stage.models
            if model in stage.failures
        ]

    def _drop_without_turn(self, stage: Stage) -> list[Decision]:
        """Drops the models that the budget left no time for."""
        left_out = [
            model for model in stage.models if model not in stage.points and model not in stage.failures
        ]
        reason = f"the budget of {self.ledger.budget} had no room for it in this stage"
        return self._drop(stage.number, left_out, reason)

    def _drop(self, number: int, models: Sequence[str], reason: str) -> list[Decision]:
        for model in models:
            self.trainer.release(model)
        return [Decision(number, model, None, None, "dropped", reason) for model in models]

    def _trained_before(self, models: Sequence[str]) -> list[str]:
        """Those of the models that have gone through an earlier stage."""
        curves = self.trainer.curves()
        return [model for model in models if curves.get(model)]

    def _settle(self, number: int, decisions: Sequence[Decision]) -> list[str]:
        """Frees the runs of dropped models, and reports the stage; returns the models that stay, the best first."""
        stay = [decision.model for decision in decisions if decision.action in ("kept", "won")]
        for decision in decisions:
            if decision.action == "dropped":
                self.trainer.release(decision.model)
        self.on_stage(decisions)
        self.emit(
            Decided(tuple(decisions), self._expected_epochs(len(stay), number), self._next_length(number))
        )
        return stay

    def _expected_epochs(self, models: int, done: int) -> float:
        kept = self.judge.preference.likely_kept(models)
        return expected_epochs(self.judge.strategy, models, done, self.ledger.stages, kept)

    def _next_length(self, done: int) -> float:
        """The epochs of a model's stage after those ``done``, or of the last one."""
        return self.ledger.stages.length(min(done + 1, self.ledger.stages.count))

    def _when(self, model: str) -> str:
        """How far a model was trained, in words."""
        done, stages = len(self.trainer.curves()[model]), self.ledger.stages
        if done == stages.count:
            return AT_THE_END
        reached, whole = stages.ends[done - 1], stages.epochs
        return f"after {reached:g} of {whole:g} epochs, when the budget of {self.ledger.budget} was spent"

    def _why_none(self, decisions: Sequence[Decision]) -> str:
        failed = [decision.reason or "" for decision in decisions if decision.action == "failed"]
        if failed:
            return f"none of the models could be trained: {'; '.join(failed)}"
        budget = self.ledger.budget
        return f"the budget of {budget} ends before a model has gone through one stage: give it more"
