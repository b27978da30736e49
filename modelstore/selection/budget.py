"""What a selection may spend and has spent, and how many models may go through a stage within that."""

import math
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

_EPSILON = 1e-9


@dataclass(frozen=True)
class Budget:
    """What training may take; None: no limit."""

    epochs: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        parts = [f"{self.epochs:g} epochs"] if self.epochs is not None else []
        return " and ".join(parts + ([f"{self.seconds:g} s"] if self.seconds is not None else []))

    def __bool__(self) -> bool:
        return self.epochs is not None or self.seconds is not None


NO_LIMIT = Budget()


class Ledger:
    """Keeps a selection's accounts: what training has taken so far, and what the budget still allows.

    Parameters
    ----------
    budget
        The limits.
    before
        The epochs and seconds that are spent before the ledger starts, by recall or before an interruption.
    stage_epochs
        The epochs that one stage takes of one model.
    stage_seconds
        The seconds that one stage of one model is expected to take; None where that is not known.
    free
        The models whose runs are on record: their stages cost nothing.
    clock
        Tells the time in seconds; None counts the seconds that runs report, as a replay does.

    Attributes
    ----------
    epochs, seconds
        What training has taken since the ledger started.
    """

    def __init__(
        self,
        budget: Budget = NO_LIMIT,
        before: tuple[float, float] = (0.0, 0.0),
        stage_epochs: float = 1.0,
        stage_seconds: float | None = None,
        free: Container[str] = (),
        clock: Callable[[], float] | None = None,
    ):
        self.budget = budget
        self.stage_epochs = stage_epochs
        self.free = free
        self.epochs = 0.0
        self.seconds = 0.0
        self._before = before
        self._stage_seconds = stage_seconds
        self._clock = clock
        self._started = 0.0

    def start(self) -> None:
        """Starts the clock."""
        if self._clock is not None:
            self._started = self._clock()

    def charge(self, epochs: float, seconds: float) -> None:
        """Enters what a run has taken."""
        self.epochs += epochs
        self.seconds += seconds

    def elapsed(self) -> float:
        """The seconds spent so far, those before the start included."""
        passed = self.seconds if self._clock is None else self._clock() - self._started
        return self._before[1] + passed

    def is_late(self) -> bool:
        """Whether the clock has passed the budget's seconds."""
        limit = self.budget.seconds
        return limit is not None and self._clock is not None and self.elapsed() > limit

    def usual_seconds(self, seconds: Iterable[float]) -> float | None:
        """The seconds to expect of one model's next stage: the mean of ``seconds``, or else the estimate."""
        known = list(seconds)
        return sum(known) / len(known) if known else self._stage_seconds

    def affordable(
        self, stages: int, keep: int, seconds_each: float | None, at_once: int, first: bool
    ) -> float:
        """How many models may go through the next of ``stages`` stages, so that ``keep`` can be trained to the end.

        The ``first`` stage lets ``keep`` models begin whatever the expected seconds are: an estimate may be
        wrong.
        """
        budget = self.budget
        epochs = None if budget.epochs is None else budget.epochs - self._epochs_spent()
        seconds = None if budget.seconds is None else budget.seconds - self.elapsed()
        in_time = max_affordable(seconds, seconds_each, stages, keep, at_once)
        if first:
            in_time = max(in_time, keep)
        return min(max_affordable(epochs, self.stage_epochs, stages, keep), in_time)

    def allows_another(
        self, under_way: int, began: float, stages: int, keep: int, trained: Iterable[float], at_once: int
    ) -> bool:
        """Whether one more model fits the time left, judged by those already ``trained`` in this stage.

        Parameters
        ----------
        under_way
            How many models have begun the stage.
        began
            The seconds that were spent when the stage began.
        stages, keep, at_once
            As in `max_affordable`.
        trained
            The seconds that the stage took of each model trained in it.
        """
        if self.budget.seconds is None:
            return True
        left = self.budget.seconds - began
        return under_way < max_affordable(left, self.usual_seconds(trained), stages, keep, at_once)

    def allows_stage(self, model: str, seconds: float | None) -> bool:
        """Whether a model's next stage, which is expected to take ``seconds``, is within the budget."""
        budget = self.budget
        if model in self.free:
            return True
        if budget.epochs is not None and self._epochs_spent() + self.stage_epochs > budget.epochs + _EPSILON:
            return False
        return budget.seconds is None or self.elapsed() + (seconds or 0.0) <= budget.seconds

    def _epochs_spent(self) -> float:
        return self._before[0] + self.epochs


def max_affordable(left: float | None, each: float | None, stages: int, keep: int, at_once: int = 1) -> float:
    """How many models may go through the next of ``stages`` stages.

    ``keep`` models must be able to go through all of the stages; where ``left`` is too little for that, those
    alone go on as long as they can.

    Parameters
    ----------
    left
        What may still be spent; None: no limit.
    each
        What one stage takes of one model, in the same unit; None: unknown.
    stages
        How many stages are left.
    keep
        How many winners are wanted.
    at_once
        How many models train at the same time.

    Returns
    -------
    float
        The number of models; infinite where there is no limit, or the cost is unknown.

    Examples
    --------
    With 10 epochs for three stages of one epoch, one winner takes 3, and 7 are left for others in this stage:

    >>> max_affordable(10, 1.0, stages=3, keep=1)
    8
    """
    if left is None or not each:
        return math.inf
    beyond = left - keep * stages * each
    if beyond >= -_EPSILON:
        return keep + math.floor(beyond / each * at_once + _EPSILON)
    return keep if left >= keep * each - _EPSILON else 0
