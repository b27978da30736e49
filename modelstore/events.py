"""What a selection tells a display as it goes: who begins, who has been trained, who stays."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Began:
    """Its models, and the stages that are done of all; ``expected`` is how often a model is to go through a stage.

    A stage is of ``stage_epochs`` epochs.
    """

    models: tuple[str, ...]
    done: int
    stages: int
    expected: int
    stage_epochs: float


@dataclass(frozen=True)
class Training:
    """These models are trained now, at the same time."""

    models: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """A model has gone through a stage; ``epochs`` are the selection's until now."""

    model: str
    validation: float
    epochs: float


@dataclass(frozen=True)
class Decision:
    """What became of a model at a stage: ``action`` is kept, dropped, failed or won."""

    stage: int
    model: str
    validation: float | None
    predicted: float | None
    action: str
    reason: str | None


@dataclass(frozen=True)
class Decided:
    """A stage is over; ``expected`` is how often a model is still to go through a stage."""

    decisions: tuple[Decision, ...]
    expected: int
