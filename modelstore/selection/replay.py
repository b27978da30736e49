"""`executor = 'replay'`: runs that train nothing, but read each model's recorded curve on the target.

A curve serves stages of any length: between its points it is interpolated.
"""

from collections.abc import Mapping

import numpy as np

from modelstore.errors import MissingRecordError
from modelstore.records import Curve, CurvePoint, kept_point
from modelstore.selection.stage_ends import StageEnds
from modelstore.udfs.trends import final_score

SAME_EPOCH = 1e-6


def reaches(curve: Curve, stages: StageEnds) -> bool:
    """Whether a recorded curve has a point, or points before and after, where each stage ends."""
    first, last = stages.ends[0], stages.epochs
    return bool(curve.epochs[0] < first + SAME_EPOCH and curve.epochs[-1] > last - SAME_EPOCH)


def at_epoch(curve: Curve, values: np.ndarray, epoch: float) -> float:
    """One of the curve's series at an epoch: what is recorded there, or else between its neighbours; NaN outside."""
    [at] = np.nonzero(np.abs(curve.epochs - epoch) < SAME_EPOCH)
    if len(at):
        return float(values[at[0]])
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    return float(np.interp(epoch, curve.epochs[known], values[known], left=np.nan, right=np.nan))


def seconds_between(curve: Curve, before: float, after: float) -> float:
    """The recorded seconds from one epoch to another; a recorded stage counts by the part that is in between."""
    starts = np.concatenate([[0.0], curve.epochs[:-1]])
    lengths = np.maximum(curve.epochs - starts, SAME_EPOCH)
    within = np.minimum(curve.epochs, after) - np.maximum(starts, before)
    parts = np.clip(within / lengths, 0.0, 1.0)
    parts[parts > 1 - SAME_EPOCH] = 1.0
    counted = parts > SAME_EPOCH
    return float(np.nansum(curve.seconds[counted] * parts[counted]))


class ReplayRun:
    """A recorded run, walked stage by stage."""

    def __init__(
        self, model: str, dataset: str, curve: Curve, result: float | None, stages: StageEnds, keep: str
    ):
        self.curve: list[CurvePoint] = []
        self._model = model
        self._dataset = dataset
        self._recorded = curve
        self._result = result
        self._stages = stages
        self._keep = keep

    @property
    def is_done(self) -> bool:
        """Whether it is at the end of its last stage."""
        return len(self.curve) == self._stages.count

    @property
    def next_seconds(self) -> float:
        """The seconds on record of the next stage; 0 where none are."""
        before = self.curve[-1].epoch if self.curve else 0.0
        return seconds_between(self._recorded, before, self._stages.ends[len(self.curve)])

    def advance(self) -> CurvePoint:
        """To the end of the next stage. Raises ``MissingRecordError`` where the curve does not reach it."""
        stage = len(self.curve) + 1
        epoch = self._stages.ends[stage - 1]
        validation = at_epoch(self._recorded, self._recorded.validations, epoch)
        if not np.isfinite(validation):
            raise MissingRecordError(
                f'the curve of "{self._model}" on "{self._dataset}" has no point at epoch {epoch:g} (it has '
                f"{', '.join(f'{known:g}' for known in self._recorded.epochs)}): set epochs and stages to fit it"
            )
        tested = at_epoch(self._recorded, self._recorded.tests, epoch)
        point = CurvePoint(
            stage=stage,
            epoch=epoch,
            validation=validation,
            test=tested if np.isfinite(tested) else None,
            train_loss=float("nan"),
            seconds=self.next_seconds,
            trial_epochs=self._recorded.trial_epochs if stage == 1 else 0.0,
        )
        self.curve.append(point)
        return point

    def test(self) -> float:
        """The recorded test score of the point that counts. Raises ``MissingRecordError`` where there is none.

        Without a test at that point it is the recorded result; or else, of a run that is walked to its end, the test
        at the recorded point that counts, or the last one.
        """
        tested = kept_point(self.curve, self._keep).test
        if tested is None:
            tested = self._result
        if tested is None and self.is_done:
            counted = self._recorded.validations if self._keep == "best" else None
            tested = final_score(self._recorded.tests, None, counted)
        if tested is None or not np.isfinite(tested):
            raise MissingRecordError(
                f'neither the curve nor the results of "{self._model}" on "{self._dataset}" have a test score'
            )
        return tested


class ReplayExecutor:
    """Replays recorded curves on one dataset.

    Parameters
    ----------
    dataset
        The dataset.
    curves
        The recorded curves, by model.
    results
        The recorded scores by model, used where a curve has no test score.
    stages
        Where the stages end.
    walked
        The stages after which runs start: those that an interrupted selection has completed.
    keep
        Which point of a run counts: ``'best'``, that of the best validation, or ``'last'``.
    """

    def __init__(
        self,
        dataset: str,
        curves: Mapping[str, Curve],
        results: Mapping[str, float],
        stages: StageEnds,
        walked: int = 0,
        keep: str = "best",
    ):
        self._dataset = dataset
        self._curves = curves
        self._results = results
        self._stages = stages
        self._walked = walked
        self._keep = keep

    def start(self, model: str) -> ReplayRun:
        """Raises ``MissingRecordError``, naming the pair, where there is no curve."""
        if model not in self._curves:
            raise MissingRecordError(
                f'there is no curve of "{model}" on "{self._dataset}" in training_curves, so it cannot be '
                "replayed: record one, leave the model out with WHERE, or use executor = 'torch'"
            )
        result = self._results.get(model)
        run = ReplayRun(model, self._dataset, self._curves[model], result, self._stages, self._keep)
        for _ in range(self._walked):
            run.advance()
        return run
