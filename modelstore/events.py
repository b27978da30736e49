"""What a selection reports as it goes on: a display shows it."""

from dataclasses import dataclass


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
    """A model has gone through a stage; ``epochs`` is what the selection has trained so far."""

    model: str
    validation: float
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
