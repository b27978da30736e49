"""What a selection may spend and has spent, and how many models may go through a stage within that."""

import math
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from modelstore.selection.stage_ends import StageEnds

FIRST_SHARE = 0.5  # of a budget, for the first look at all candidates
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
    stages
        Where the stages end.
    budget
        The limits.
    before
        The epochs and seconds that are spent before the ledger starts, by recall or before an interruption.
    epoch_seconds
        The seconds that an epoch of one model is expected to take; None where that is not known.
    free
        The models whose runs are on record: their stages cost nothing.
    clock
        Tells the time in seconds; None counts the seconds that runs report, as a replay does.
    shares
        Whether each stage takes no more than its share of what is left (`stage_share`).

    Attributes
    ----------
    epochs, seconds
        What training has taken since the ledger started.
    """

    def __init__(
        self,
        stages: StageEnds,
        budget: Budget = NO_LIMIT,
        before: tuple[float, float] = (0.0, 0.0),
        epoch_seconds: float | None = None,
        free: Container[str] = (),
        clock: Callable[[], float] | None = None,
        shares: bool = False,
    ):
        self.budget = budget
        self.stages = stages
        self.free = free
        self.epochs = 0.0
        self.seconds = 0.0
        self._before = before
        self._epoch_seconds = epoch_seconds
        self._clock = clock
        self._shares = shares
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

    def usual_seconds(self, stage: int, seconds: Iterable[float]) -> float | None:
        """The seconds to expect of one model's stage: the mean of ``seconds``, or else the estimate."""
        known = list(seconds)
        if known:
            return sum(known) / len(known)
        return None if self._epoch_seconds is None else self._epoch_seconds * self.stages.length(stage)

    def affordable(
        self, stage: int, keep: int, last_seconds: Iterable[float], at_once: int, first: bool
    ) -> float:
        """How many models may go through a stage, so that ``keep`` can be trained to the end.

        The ``first`` stage lets ``keep`` models begin whatever the expected seconds are: an estimate may be
        wrong. ``last_seconds`` are what the stage before took of each model.
        """
        budget, each = self.budget, self.stages.length(stage)
        epochs = None if budget.epochs is None else budget.epochs - self._epochs_spent()
        seconds = None if budget.seconds is None else budget.seconds - self.elapsed()
        longer = each / self.stages.length(stage - 1) if stage > 1 else 1.0
        seconds_each = self.usual_seconds(stage, (one * longer for one in last_seconds))
        in_time = self._max_affordable(seconds, seconds_each, stage, keep, at_once)
        if first:
            in_time = max(in_time, keep)
        return min(self._max_affordable(epochs, each, stage, keep), in_time)

    def _max_affordable(
        self, left: float | None, each: float | None, stage: int, keep: int, at_once: int = 1
    ) -> float:
        share = stage_share(self.stages, stage) if self._shares else 1.0
        return max_affordable(left, each, lengths_left(self.stages, stage), keep, at_once, share)

    def allows_another(
        self, under_way: int, began: float, stage: int, keep: int, trained: Iterable[float], at_once: int
    ) -> bool:
        """Whether one more model fits the time left, judged by those already ``trained`` in this stage.

        Parameters
        ----------
        under_way
            How many models have begun the stage.
        began
            The seconds that were spent when the stage began.
        stage
            The stage's number.
        keep, at_once
            As in `max_affordable`.
        trained
            The seconds that the stage took of each model trained in it.
        """
        if self.budget.seconds is None:
            return True
        left = self.budget.seconds - began
        each = self.usual_seconds(stage, trained)
        return under_way < self._max_affordable(left, each, stage, keep, at_once)

    def allows_stage(self, model: str, stage: int, seconds: float | None) -> bool:
        """Whether a stage of a model, which is expected to take ``seconds``, is within the budget."""
        budget = self.budget
        if model in self.free:
            return True
        epochs = self._epochs_spent() + self.stages.length(stage)
        if budget.epochs is not None and epochs > budget.epochs + _EPSILON:
            return False
        return budget.seconds is None or self.elapsed() + (seconds or 0.0) <= budget.seconds

    def _epochs_spent(self) -> float:
        return self._before[0] + self.epochs


def lengths_left(stages: StageEnds, stage: int) -> float:
    """How many stages of a stage's length are left, by their epochs, that stage included."""
    return stages.left(stage) / stages.length(stage)


def stage_share(stages: StageEnds, stage: int) -> float:
    """The share of what is left that a stage may take: even among those to come, and half for the first.

    As successive halving shares a budget (Jamieson & Talwalkar, AISTATS 2016).
    """
    return FIRST_SHARE if stage == 1 < stages.count else 1 / (stages.count - stage + 1)


def max_affordable(
    left: float | None,
    each: float | None,
    stages: float,
    keep: int,
    at_once: int = 1,
    share: float = 1.0,
) -> float:
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
        How many stages of that length are left.
    keep
        How many winners are wanted.
    at_once
        How many models train at the same time.
    share
        The share of what is left that the stage may take beside those that it must.

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
        beside = keep + math.floor(beyond / each * at_once + _EPSILON)
        return (
            beside
            if share == 1.0
            else max(keep, min(beside, math.floor(share * left / each * at_once + _EPSILON)))
        )
    return keep if left >= keep * each - _EPSILON else 0
