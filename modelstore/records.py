"""The records that algorithms, store and training share: plain values, which know nothing of where they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class CurvePoint:
    """One validation point of a run.

    Parameters
    ----------
    stage
        The number of the stage, from 1.
    epoch
        The epochs trained so far; a fraction where stages are shorter than an epoch.
    validation
        The score on the validation split.
    test
        The score on the test split; None where it was not evaluated.
    train_loss
        The mean loss over the stage; NaN where it is not on record.
    seconds
        What this stage alone took, without the evaluation on test.
    trial_epochs
        The epochs that this stage trained beside, at learning rates that were tried and not taken.
    learning_rate
        The run's learning rate at its peak; None where it is not on record.
    """

    stage: int
    epoch: float
    validation: float
    test: float | None
    train_loss: float
    seconds: float
    trial_epochs: float = 0.0
    learning_rate: float | None = None


@dataclass(frozen=True)
class InferenceCost:
    """What it costs to use a model, as `modelstore.training.inference_cost` measures it.

    Parameters
    ----------
    device
        Such as ``cpu`` or ``cuda:0``.
    max_length
        The tokens of each text; None for images.
    latency_ms
        Milliseconds of one row by itself, the median of some.
    rows_per_second
        In a batch.
    memory
        Bytes of the weights, and of what is in use beside them in a pass of one row.
    """

    device: str
    max_length: int | None
    latency_ms: float
    rows_per_second: float
    memory: int


def kept_place(validations: Sequence[float] | np.ndarray, keep: str) -> int:
    """The place of the point of a run that counts.

    Parameters
    ----------
    validations
        The validation score of each point, at least one.
    keep
        ``'best'``: the first of the best validation scores, of which those that are not finite never count;
        ``'last'``: the last point.

    Examples
    --------
    >>> kept_place([0.5, 0.75, 0.75, 0.625], "best"), kept_place([0.5, 0.75, 0.75, 0.625], "last")
    (1, 3)
    """
    if keep == "last":
        return len(validations) - 1
    return int(np.argmax(np.where(np.isfinite(validations), validations, -np.inf)))


def trained_epochs(curve: Sequence[CurvePoint]) -> float:
    """The epochs that a run has trained, those of tried learning rates included."""
    return curve[-1].epoch + sum(point.trial_epochs for point in curve)


def kept_point(curve: Sequence[CurvePoint], keep: str) -> CurvePoint:
    """The point of a run that counts, by `kept_place`."""
    return curve[kept_place([point.validation for point in curve], keep)]


@dataclass(frozen=True)
class Curve:
    """A recorded run by stage, each (stages,); ``tests`` is NaN where the run was not tested.

    ``trial_epochs`` were trained beside those of the first stage, at learning rates that were not taken.
    """

    epochs: np.ndarray
    validations: np.ndarray
    tests: np.ndarray
    seconds: np.ndarray
    trial_epochs: float = 0.0


@dataclass(frozen=True)
class Matrix:
    """The performance matrix: ``scores`` (models, datasets), NaN where there is no record."""

    models: list[str]
    datasets: list[str]
    scores: np.ndarray

    def rows(self, names: Sequence[str]) -> np.ndarray:
        """The scores of the models ``names``: (len(names), datasets), all NaN for a model that is not on record."""
        return self.picked(self.scores, names)

    def picked(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The ``values`` (models, …) of the models ``names``; NaN for a model that is not on record."""
        on_record = pa.array(self.models, pa.string())
        row = pc.index_in(pa.array(names, pa.string()), on_record).fill_null(-1).to_numpy()
        picked = np.full((len(names), *values.shape[1:]), np.nan)
        known = row >= 0
        picked[known] = values[row[known]]
        return picked


@dataclass(frozen=True)
class LastClustering:
    """What a clustering of n models found, from which the next one is quick.

    Parameters
    ----------
    models
        The models' names, in order.
    states
        (n,): a digest of what each model's distances depend on.
    left, right
        The pairs within the threshold, ``left`` < ``right``, in order.
    cluster
        (n,): each model's cluster, from 0.
    own
        (n,): its mean distance to the other members of its cluster; NaN where it is not known.
    other, nearest
        (n,): its mean distance to the nearest other cluster, and which that is; NaN and −1 where not known.
    """

    models: list[str]
    states: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cluster: np.ndarray
    own: np.ndarray
    other: np.ndarray
    nearest: np.ndarray
