"""The decision after a stage: which models stay, which are dropped, and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from modelstore.events import Decision
from modelstore.records import CurvePoint, kept_point
from modelstore.selection.strategy import Prediction, StageResult, Strategy

# From the curves so far of the models that are left, the final scores of those of which the records say anything.
Predict = Callable[[Mapping[str, Sequence[CurvePoint]]], Mapping[str, Prediction]]

AT_THE_END = "at the end"


class Judge:
    """Decides by a strategy.

    Parameters
    ----------
    strategy
        Ranks and drops models.
    keep
        How many winners are wanted.
    recall_scores
        By model: they break ties.
    predict
        Predicts final scores, where the strategy needs them.
    keep_point
        Which point of a run counts: ``'best'``, that of the best validation so far, or ``'last'``.
    """

    def __init__(
        self,
        strategy: Strategy,
        keep: int,
        recall_scores: Mapping[str, float],
        predict: Predict,
        keep_point: str = "best",
    ):
        self.strategy = strategy
        self.keep = keep
        self.keep_point = keep_point
        self._recall_scores = recall_scores
        self._predict = predict

    def results(self, models: Iterable[str], curves: Mapping[str, Sequence[CurvePoint]]) -> list[StageResult]:
        """The models' last validation scores, with their predicted final scores where the strategy needs them."""
        results = [self._result(model, curves[model]) for model in models]
        if not self.strategy.forecast or len(results) < 2:
            return results
        predicted = self._predict({result.model: curves[result.model] for result in results})
        return [
            replace(result, predicted=known.score, deviation=known.deviation, value=known.value)
            if (known := predicted.get(result.model))
            else result
            for result in results
        ]

    def _result(self, model: str, curve: Sequence[CurvePoint]) -> StageResult:
        best = kept_point(curve, "best").validation if self.keep_point == "best" else None
        return StageResult(
            model,
            curve[-1].validation,
            self._recall_scores[model],
            stage=len(curve),
            best=best,
            learning_rate=curve[-1].learning_rate,
        )

    def after_stage(self, stage: int, results: Sequence[StageResult]) -> list[Decision]:
        """Each model kept or dropped, in the order of their turns in the next stage."""
        pruned = self.strategy.drop(results, self.keep) if len(results) > self.keep else []
        reasons = {one.model: one.reason for one in pruned}
        return [
            _decision(stage, result, "dropped" if result.model in reasons else "kept", reasons)
            for result in self.strategy.turns(results, self.keep)
        ]

    def at_end(self, stage: int, results: Sequence[StageResult], when: str) -> list[Decision]:
        """The best ``keep`` models won, the others dropped; ``when`` tells, in words, how far they were trained."""
        ranked = self.strategy.rank(results)
        won = {result.model for result in ranked[: self.keep]}
        judged = self.strategy.judges_by
        reasons = {r.model: f"best {judged} {when}" if r.model in won else f"{judged} {when}" for r in ranked}
        if len(ranked) == 1 and when == AT_THE_END:
            reasons = {}
        return [
            _decision(stage, result, "won" if result.model in won else "dropped", reasons)
            for result in ranked
        ]


def _decision(stage: int, result: StageResult, action: str, reasons: Mapping[str, str]) -> Decision:
    return Decision(
        stage,
        result.model,
        result.validation,
        result.predicted,
        action,
        reasons.get(result.model),
        result.learning_rate,
    )
