"""What a selection may spend: how many models may go through a stage so that the winners can still be finished."""

import math
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


def max_affordable(left: float | None, each: float | None, stages: int, keep: int, at_once: int = 1) -> float:
    """How many models may go through the next of ``stages`` stages, where ``left`` may be spent.

    ``each``: what a stage takes of a model; so many go through it ``at_once``, but for the last ones. ``keep``
    models must be able to go through all of them; where that is not to be had, no others go on than those, while
    they can. Infinite where there is no limit, or no cost is known.
    """
    if left is None or not each:
        return math.inf
    beyond = left - keep * stages * each
    if beyond >= -_EPSILON:
        return keep + math.floor(beyond / each * at_once + _EPSILON)
    return keep if left >= keep * each - _EPSILON else 0
