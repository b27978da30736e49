"""What makes one model better than another: its score alone, its score less what its use costs, or both at once.

A strategy compares models by their scores. A `Preference` asks it about them: `ScoreLessCost` in place of the score
gives it a utility, s − w c, of a model that costs c to use; `ParetoPreference` compares a model with those alone that
cost no more, so that nothing but a model that is at least as cheap takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.selection.forecast import Floats, Forecasts
from modelstore.selection.strategy import Pruned, StageResult, Strategy
from modelstore.selection.value_of_information import values_per_epoch
from modelstore.udfs.pareto_front import expected_front_size, pareto_front


class Preference:
    """By score alone.

    Parameters
    ----------
    strategy
        Ranks and drops models.
    keep
        How many winners are wanted.
    """

    def __init__(self, strategy: Strategy, keep: int):
        self.strategy = strategy
        self.keep = keep

    @property
    def judges_by(self) -> str:
        """What the best model is chosen by in the end, in words."""
        return self.strategy.judges_by

    def drop(self, results: Sequence[StageResult]) -> list[Pruned]:
        """The models to drop after a stage."""
        return self.strategy.drop(results, self.keep) if len(results) > self.keep else []

    def turns(self, results: Sequence[StageResult]) -> list[StageResult]:
        """In the order in which models get their turns in the next stage."""
        return self.strategy.turns(results, self.keep)

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        """The best first."""
        return self.strategy.rank(results)

    def eligible(self, ranked: Sequence[StageResult]) -> list[StageResult]:
        """Those that may win."""
        return list(ranked)

    def why_lost(self, result: StageResult, ranked: Sequence[StageResult], when: str) -> str:
        """Why a model has not won in the end; ``when`` tells, in words, how far it was trained."""
        return f"{self.judges_by} {when}"

    def values_per_epoch(
        self, models: Sequence[str], forecasts: Forecasts, epochs: Floats, reached: int
    ) -> Floats:
        """What an epoch more of each model is worth: (models,), as `value_of_information.values_per_epoch` says."""
        return values_per_epoch(forecasts, epochs, reached, self.keep)

    def likely_kept(self, models: int) -> int:
        """How many of so many models stay at least, for the planner."""
        return self.keep


class ScoreLessCost(Preference):
    """By score less a penalty for what a model costs to use.

    Parameters
    ----------
    strategy, keep
        As in `Preference`.
    penalties
        By model, in score.
    words
        The penalty, for reasons: ``0.001 × latency_ms``.
    """

    def __init__(self, strategy: Strategy, keep: int, penalties: Mapping[str, float], words: str):
        super().__init__(strategy, keep)
        self._penalties = penalties
        self._words = words

    @property
    def judges_by(self) -> str:
        return f"{self.strategy.judges_by} less {self._words}"

    def drop(self, results: Sequence[StageResult]) -> list[Pruned]:
        pruned = super().drop(list(map(self._less, results)))
        return [Pruned(one.model, f"{one.reason} (scores less {self._words})") for one in pruned]

    def turns(self, results: Sequence[StageResult]) -> list[StageResult]:
        return _as_they_were(super().turns(list(map(self._less, results))), results)

    def rank(self, results: Sequence[StageResult]) -> list[StageResult]:
        return _as_they_were(super().rank(list(map(self._less, results))), results)

    def values_per_epoch(
        self, models: Sequence[str], forecasts: Forecasts, epochs: Floats, reached: int
    ) -> Floats:
        penalties = np.array([self._penalties[model] for model in models])
        less = replace(forecasts, mean=forecasts.mean - penalties)
        return super().values_per_epoch(models, less, epochs, reached)

    def _less(self, result: StageResult) -> StageResult:
        penalty = self._penalties[result.model]
        return replace(
            result,
            validation=result.validation - penalty,
            best=None if result.best is None else result.best - penalty,
            predicted=None if result.predicted is None else result.predicted - penalty,
        )


class ParetoPreference(Preference):
    """By score and cost at once: the winners are on the Pareto front of both, ordered by score.

    Parameters
    ----------
    strategy, keep
        As in `Preference`; fewer win where fewer are on the front.
    costs
        By model; lower is better.
    words
        The cost's name, for reasons: ``latency_ms``.
    """

    def __init__(self, strategy: Strategy, keep: int, costs: Mapping[str, float], words: str):
        super().__init__(strategy, keep)
        self._costs = costs
        self._words = words

    @property
    def judges_by(self) -> str:
        return f"{self.strategy.judges_by} on the Pareto front of score and {self._words}"

    def drop(self, results: Sequence[StageResult]) -> list[Pruned]:
        """Those that the strategy would drop if it had to choose among the models that are no worse in cost."""
        pruned = []
        for result in results if len(results) > self.keep else ():
            check()
            rivals = [one for one in results if self._costs[one.model] <= self._costs[result.model]]
            dropped = self.strategy.drop(rivals, 1) if len(rivals) > 1 else []
            reason = next((one.reason for one in dropped if one.model == result.model), None)
            if reason is not None:
                pruned.append(
                    Pruned(result.model, f"{reason} (among models that are as good in {self._words})")
                )
        return pruned

    def turns(self, results: Sequence[StageResult]) -> list[StageResult]:
        """The front first, then the front of those that are left, and so on."""
        left, ordered = self.strategy.turns(results, self.keep), list[StageResult]()
        while left:
            front = self.eligible(left)
            ordered += front
            left = [one for one in left if one not in front]
        return ordered

    def eligible(self, ranked: Sequence[StageResult]) -> list[StageResult]:
        front = [one for one, first in zip(ranked, self._on_front(ranked), strict=True) if first]
        return front or list(ranked)  # where no score is a number

    def why_lost(self, result: StageResult, ranked: Sequence[StageResult], when: str) -> str:
        judged, cost = self.strategy.judges_by, self._costs[result.model]
        rivals = (one for one in ranked if one is not result and self._costs[one.model] <= cost)
        better = next(
            (one for one in rivals if self.strategy.merit(one) >= self.strategy.merit(result)), None
        )
        if better is None:
            return f"{judged} {when}, on the Pareto front behind as many as are wanted"
        return f"{judged} {when}: {better.model} is at least as good, in {self._words} too"

    def values_per_epoch(
        self, models: Sequence[str], forecasts: Forecasts, epochs: Floats, reached: int
    ) -> Floats:
        """Each model's, over the best of those that are no worse in cost."""
        costs, values = self._costs_of(models), np.zeros(len(models))
        for place, cost in enumerate(costs):
            [rivals] = np.nonzero(costs <= cost)
            found = values_per_epoch(forecasts.of(rivals), epochs, reached)
            values[place] = found[np.searchsorted(rivals, place)]
        return values

    def likely_kept(self, models: int) -> int:
        return max(self.keep, round(expected_front_size(models)))

    def _costs_of(self, models: Sequence[str]) -> Floats:
        return np.array([self._costs[model] for model in models], dtype=float)

    def _on_front(self, results: Sequence[StageResult]) -> NDArray[np.bool_]:
        scores = [self.strategy.merit(one) for one in results]
        return pareto_front(scores, self._costs_of([one.model for one in results]))


def _as_they_were(ordered: Sequence[StageResult], results: Sequence[StageResult]) -> list[StageResult]:
    """The results in the order of others of the same models."""
    by_name = {result.model: result for result in results}
    return [by_name[one.model] for one in ordered]
