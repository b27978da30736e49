"""What a selection and a benchmark report as they go on: a display shows it, a tracker logs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelstore.records import CurvePoint


@dataclass(frozen=True)
class SelectionBegan:
    """A selection begins, or is resumed, before it recalls.

    Parameters
    ----------
    id, key
        Its number in the table ``selections``, and what tells it from those of other databases.
    dataset, metric
        The target, and what its scores are; None where only records of it are there.
    method
        The strategy.
    options
        Every option's value by name.
    arms
        The model and the recipe of each candidate, by the name that later events call it.
    """

    id: int
    key: str
    dataset: str
    metric: str | None
    method: str
    options: Mapping[str, Any]
    arms: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class SelectionEnded:
    """A selection has ended: ``status`` is done, stopped or failed, for a reason; ``winners`` are its rows."""

    status: str
    reason: str | None = None
    winners: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class PairBenchmarked:
    """A benchmark has put a pair on record: its score, or why there is none.

    Parameters
    ----------
    model, dataset, recipe, seed
        Which run it is.
    metric
        What the score is.
    options
        Every training option's value by name.
    curve
        Its points, one a stage.
    score
        The test score; None where the run failed.
    reason
        Why it failed.
    """

    model: str
    dataset: str
    recipe: str
    seed: int
    metric: str
    options: Mapping[str, Any]
    curve: Sequence["CurvePoint"] = ()
    score: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Began:
    """A selection begins, or goes on after the stages ``done``.

    Parameters
    ----------
    models
        The models that it trains.
    done, stages
        How many stages are completed, and how many there are.
    expected
        The epochs that all models together are expected to train.
    stage_epochs
        The epochs of the stage that comes first.
    pairs
        Whether ``models`` are pairs of a model and a recipe.
    """

    models: tuple[str, ...]
    done: int
    stages: int
    expected: float
    stage_epochs: float
    pairs: bool = False


@dataclass(frozen=True)
class ModelsInTraining:
    """The models that train now, at the same time."""

    models: tuple[str, ...]


@dataclass(frozen=True)
class ModelTrained:
    """A model has gone through a stage to ``point``; ``epochs`` is what the selection has trained so far."""

    model: str
    point: "CurvePoint"
    epochs: float


@dataclass(frozen=True)
class Decision:
    """What became of a model at a stage: ``action`` is kept, dropped, failed or won.

    ``predicted`` is its predicted final score and ``deviation`` its standard deviation, each None where the strategy
    knows none; ``learning_rate`` the one that it trains at, None where it is not known.
    """

    stage: int
    model: str
    validation: float | None
    predicted: float | None
    action: str
    reason: str | None
    learning_rate: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Decided:
    """A stage is over; ``expected`` are the epochs to come, and ``stage_epochs`` those of a model's next stage."""

    decisions: tuple[Decision, ...]
    expected: float
    stage_epochs: float
