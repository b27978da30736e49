"""Where the stages of a selection end, in epochs; stages may be of any length."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StageEnds:
    """The epochs that a model has been trained for at the end of each stage, rising.

    Parameters
    ----------
    ends
        Those epochs.
    trials
        The epochs that the first stage takes beside, to find the learning rate.

    Examples
    --------
    >>> stages = StageEnds((0.25, 0.5, 1.0, 2.0))
    >>> stages.length(3), stages.left(3)
    (0.5, 1.5)
    >>> StageEnds((0.25, 0.5), trials=0.5).length(1)
    0.75
    """

    ends: tuple[float, ...]
    trials: float = 0.0

    @classmethod
    def uniform(cls, count: int, each: float = 1.0) -> "StageEnds":
        """So many stages of the same length."""
        return cls(tuple(stage * each for stage in range(1, count + 1)))

    @property
    def count(self) -> int:
        """How many stages there are."""
        return len(self.ends)

    @property
    def epochs(self) -> float:
        """The epochs of a whole training."""
        return self.ends[-1]

    def length(self, stage: int) -> float:
        """The epochs that a stage takes, counted from 1."""
        return self.ends[stage - 1] - self._start(stage) + self._trials(stage)

    def left(self, stage: int) -> float:
        """The epochs that a stage and those after it take."""
        return self.epochs - self._start(stage) + self._trials(stage)

    def _trials(self, stage: int) -> float:
        return self.trials if stage == 1 else 0.0

    def _start(self, stage: int) -> float:
        return self.ends[stage - 2] if stage > 1 else 0.0
