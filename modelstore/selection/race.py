"""A race of all candidates over the stages of a plan: which start, which go on after a stage, and which win.

With `LEAST_DATASETS` datasets with curves on record the value of information decides (`value_of_information`). With
fewer, a forecast's deviation is little more than assumed, and validation decides: all train for two stages,
which is half an epoch unless the target is large, and then the best two to the end. The forecasts, where there are
any, only pick the winner of those. A budget takes the place of the price: `stage_budget` says how many go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.selection.forecast import Floats, ForecastModel, Forecasts
from modelstore.selection.stage_budget import affordable, affordable_at_first
from modelstore.selection.value_of_information import FINALISTS, PRICE, by_mean, worth_training

Places = NDArray[np.intp]

LEAST_DATASETS = 10
SCREENING_STAGES = 2
SCREENING_EPOCHS = 0.5


@dataclass(frozen=True)
class Race:
    """What a race knows before it starts.

    Attributes
    ----------
    epochs : (points,) that the stages end at, by `stage_plan.stage_epochs`.
    prior : (models,) the candidates' `normal_score_prior`.
    models : (models,) their places among the records' models, −1 for one without curves on record.
    forecasts : learned from the records.
    datasets : how many datasets with curves are on record.
    validation_rows : of the target, where its score is an accuracy.
    price : of an epoch, in score; a budget overrides it.
    budget : in epochs, all candidates together.
    keep : how many winners there are to be.
    """

    epochs: Floats
    prior: Floats
    models: Places
    forecasts: ForecastModel
    datasets: int
    validation_rows: float | None = None
    price: float = PRICE
    budget: float | None = None
    keep: int = 1

    @property
    def by_value(self) -> bool:
        """Whether the value of information decides; validation does where too little is on record."""
        return self.datasets >= LEAST_DATASETS

    def starters(self) -> Places:
        """The models that go through the first stage: all, or the best by prior that the budget has room for."""
        order = np.argsort(-self.prior, kind="stable")
        return (
            order
            if self.budget is None
            else order[: affordable_at_first(self.budget, self.epochs, self.keep)]
        )

    def going_on(self, validations: Floats, racing: Places, reached: int, spent: float = 0.0) -> Places:
        """The models that go through the next stage, the one first for which it is worth most.

        Parameters
        ----------
        validations : (models, points) so far of all candidates, NaN where one has not been.
        racing : the places of the models that have gone through stage ``reached``, counted from 0.
        spent : epochs, of the budget.
        """
        most = len(racing)
        if self.budget is not None:
            most = affordable(self.budget - spent, self.epochs, reached, self.keep)
        if self.by_value:
            price = self.price if self.budget is None else 0.0
            forecasts = self.forecast(validations).of(racing)
            return racing[worth_training(forecasts, self.epochs, reached, price, self.keep)][:most]
        if self.budget is None and reached + 1 >= screening_stages(self.epochs):
            most = max(FINALISTS, self.keep)
        return racing[np.argsort(-validations[racing, reached], kind="stable")][:most]

    def ranking(self, validations: Floats, racing: Places) -> Places:
        """The finalists, best first: by posterior mean, or by the last validation where nothing is on record."""
        if self.datasets:
            return racing[by_mean(self.forecast(validations).of(racing))]
        [seen] = np.nonzero(np.isfinite(validations[racing]).all(axis=0))
        return racing[np.argsort(-validations[racing, seen[-1]], kind="stable")]

    def forecast(self, validations: Floats) -> Forecasts:
        """The forecasts of all candidates, from what all have shown so far."""
        return self.forecasts.predict(validations, self.prior, self.models, self.validation_rows)


def screening_stages(epochs: Floats | Sequence[float]) -> int:
    """After how many stages validation decides: two, or fewer where those already end after half an epoch."""
    return min(SCREENING_STAGES, int(np.searchsorted(epochs, SCREENING_EPOCHS - 1e-9)) + 1, len(epochs))


def replay_race(race: Race, validations: Floats) -> tuple[int | None, float, float]:
    """Walks recorded curves.

    Parameters
    ----------
    validations : (models, points) of the candidates on the target, by `forecast_learning.at_points`.

    Returns
    -------
    winner : its place; None where the budget has no room for one stage.
    spent : epochs, all candidates together.
    reached : the epoch to which the winner was trained, less than the last where the budget ended before.
    """
    racing, spent, before = race.starters(), 0.0, 0.0
    if not len(racing):
        return None, 0.0, 0.0
    seen = np.full(validations.shape, np.nan)
    for stage, epoch in enumerate(race.epochs.tolist()):
        seen[racing, stage] = validations[racing, stage]
        spent += len(racing) * (epoch - before)
        before = epoch
        going = race.going_on(seen, racing, stage, spent) if stage + 1 < len(race.epochs) else racing[:0]
        if not len(going):
            break
        racing = going
    return int(race.ranking(seen, racing)[0]), spent, before
