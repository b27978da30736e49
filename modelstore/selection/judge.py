"""The decision after a stage: which models stay, which are dropped, and why."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from modelstore.events import Decision
from modelstore.records import CurvePoint, kept_point
from modelstore.selection.preference import Preference
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
    model_of
        The model behind a name, where several recipes of one model compete: the winners are different models.
    preference
        What makes one model better than another; by default, its score alone.
    """

    def __init__(
        self,
        strategy: Strategy,
        keep: int,
        recall_scores: Mapping[str, float],
        predict: Predict,
        keep_point: str = "best",
        model_of: Callable[[str], str] = lambda name: name,
        preference: Preference | None = None,
    ):
        self.strategy = strategy
        self.keep = keep
        self.keep_point = keep_point
        self._recall_scores = recall_scores
        self._predict = predict
        self.model_of = model_of
        self.preference = preference or Preference(strategy, keep)

    def results(self, models: Iterable[str], curves: Mapping[str, Sequence[CurvePoint]]) -> list[StageResult]:
        """The models' last validation scores, with their predicted final scores where the strategy needs them."""
        results = [self._result(model, curves[model]) for model in models]
        if not self.strategy.forecast or len(results) < 2:
            return results
        predicted = self._predict({result.model: curves[result.model] for result in results})
        return [
            replace(result, predicted=known.score, deviation=known.deviation, value=known.value)
            if (known := predicted.get(result.model)) and math.isfinite(known.score)
            else result
            for result in results
        ]

    def _result(self, model: str, curve: Sequence[CurvePoint]) -> StageResult:
        best = kept_point(curve, "best").validation if self.keep_point == "best" else None
        return StageResult(
            model,
            curve[-1].validation,
            self._recall_scores[model],
            best=best,
            learning_rate=curve[-1].learning_rate,
        )

    def after_stage(self, stage: int, results: Sequence[StageResult]) -> list[Decision]:
        """Each model kept or dropped, in the order of their turns in the next stage."""
        reasons = {one.model: one.reason for one in self.preference.drop(results)}
        turns = self.preference.turns(results)
        best = self._best_of_models(self.preference.rank(results))
        if len(self._best_of_models([one for one in turns if one.model not in reasons])) < len(best):
            for result in best:  # so that there are as many different models as are wanted
                reasons.pop(result.model, None)
        return [
            _decision(stage, result, "dropped" if result.model in reasons else "kept", reasons)
            for result in self._models_first(turns)
        ]

    def turns(self, names: Sequence[str]) -> list[str]:
        """Names in the order of their turns: the first of each of as many models as are wanted, then the others."""
        firsts = self._firsts(names)
        return firsts + [name for name in names if name not in firsts]

    def _models_first(self, results: Sequence[StageResult]) -> list[StageResult]:
        by_name = {result.model: result for result in results}
        return [by_name[name] for name in self.turns(list(by_name))]

    def _best_of_models(self, results: Sequence[StageResult]) -> list[StageResult]:
        """The first of each of the first models, as many as are wanted."""
        by_name = {result.model: result for result in results}
        return [by_name[name] for name in self._firsts(list(by_name))]

    def _firsts(self, names: Sequence[str]) -> list[str]:
        first_of: dict[str, str] = {}
        for name in names:
            first_of.setdefault(self.model_of(name), name)
        return list(first_of.values())[: self.keep]

    def at_end(self, stage: int, results: Sequence[StageResult], when: str) -> list[Decision]:
        """The best ``keep`` models won, the others dropped; ``when`` tells, in words, how far they were trained."""
        ranked = self.preference.rank(results)
        won = {result.model for result in self._best_of_models(self.preference.eligible(ranked))}
        judged = self.preference.judges_by
        reasons = {
            r.model: f"best {judged} {when}" if r.model in won else self.preference.why_lost(r, ranked, when)
            for r in ranked
        }
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
        result.deviation,
    )
