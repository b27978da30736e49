"""`executor = 'replay'`: runs that train nothing, but read each model's recorded curve on the target."""

from collections.abc import Mapping

import numpy as np

from modelstore.errors import MissingRecordError
from modelstore.records import Curve, CurvePoint

SAME_EPOCH = 1e-6


class ReplayRun:
    """A recorded run, walked stage by stage."""

    def __init__(self, model: str, dataset: str, curve: Curve, result: float | None, stages_per_epoch: int):
        self.curve: list[CurvePoint] = []
        self._model = model
        self._dataset = dataset
        self._recorded = curve
        self._result = result
        self._stages_per_epoch = stages_per_epoch

    @property
    def next_seconds(self) -> float:
        """The seconds on record of the next stage; 0 where none are."""
        epochs = self._recorded.epochs
        before = self.curve[-1].epoch if self.curve else 0.0
        after = (len(self.curve) + 1) / self._stages_per_epoch
        passed = (epochs > before + SAME_EPOCH) & (epochs < after + SAME_EPOCH)
        return float(np.nansum(self._recorded.seconds[passed]))

    def advance(self) -> CurvePoint:
        """To the next stage. Raises ``MissingRecordError`` where the curve has no point there."""
        stage = len(self.curve) + 1
        epoch = stage / self._stages_per_epoch
        epochs = self._recorded.epochs
        [at] = np.nonzero(np.abs(epochs - epoch) < SAME_EPOCH)
        if not len(at):
            raise MissingRecordError(
                f'the curve of "{self._model}" on "{self._dataset}" has no point at epoch {epoch:g} (it has '
                f"{', '.join(f'{known:g}' for known in epochs)}): set epochs and stages_per_epoch to fit it"
            )
        tested = self._recorded.tests[at[0]]
        point = CurvePoint(
            stage=stage,
            epoch=epoch,
            validation=float(self._recorded.validations[at[0]]),
            test=float(tested) if np.isfinite(tested) else None,
            train_loss=float("nan"),
            seconds=self.next_seconds,
        )
        self.curve.append(point)
        return point

    def test(self) -> float:
        """The recorded test score. Raises ``MissingRecordError`` where there is none."""
        tested = self.curve[-1].test
        if tested is None:
            tested = self._result
        if tested is None:
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
    stages_per_epoch
        How many stages an epoch has.
    walked
        The stages after which runs start: those that an interrupted selection has completed.
    """

    def __init__(
        self,
        dataset: str,
        curves: Mapping[str, Curve],
        results: Mapping[str, float],
        stages_per_epoch: int,
        walked: int = 0,
    ):
        self._dataset = dataset
        self._curves = curves
        self._results = results
        self._stages_per_epoch = stages_per_epoch
        self._walked = walked

    def start(self, model: str) -> ReplayRun:
        """Raises ``MissingRecordError``, naming the pair, where there is no curve."""
        if model not in self._curves:
            raise MissingRecordError(
                f'there is no curve of "{model}" on "{self._dataset}" in training_curves, so it cannot be '
                "replayed: record one, leave the model out with WHERE, or use executor = 'torch'"
            )
        run = ReplayRun(
            model, self._dataset, self._curves[model], self._results.get(model), self._stages_per_epoch
        )
        for _ in range(self._walked):
            run.advance()
        return run
