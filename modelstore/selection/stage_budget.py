"""How a budget of epochs is shared among the stages of a race.

What is left is shared evenly among the stages to come, as successive halving shares it (Jamieson & Talwalkar, AISTATS
2016), and the winners can always be trained to the end, where the budget has room for that at all. The first look at
the candidates takes at most half.
"""

import math

import numpy as np
from numpy.typing import NDArray

FIRST_SHARE = 0.5
_EPSILON = 1e-9


def affordable_at_first(budget: float, epochs: NDArray[np.float64], keep: int = 1) -> int:
    """How many models may go through the first stage.

    Parameters
    ----------
    budget : in epochs.
    epochs : (stages,) that each stage ends at, by `stage_plan.stage_epochs`.
    keep : how many winners there are to be.

    Returns
    -------
    0 where the budget ends before one model has gone through a stage.
    """
    return _room(budget, FIRST_SHARE * budget, float(epochs[0]), float(epochs[-1]), keep)


def affordable(left: float, epochs: NDArray[np.float64], reached: int, keep: int = 1) -> int:
    """How many models may go through the stage after ``reached``, where ``left`` epochs may still be spent."""
    share = left / (len(epochs) - 1 - reached)
    each, rest = float(epochs[reached + 1] - epochs[reached]), float(epochs[-1] - epochs[reached])
    return _room(left, share, each, rest, keep)


def _room(left: float, share: float, each: float, rest: float, keep: int) -> int:
    """By what is left for all stages and for this one, and what this one and all take of a model.

    ``keep`` may go to the end first; where there is no room for that, as many of them as can take this stage.
    """
    beside = keep + math.floor((left - keep * rest) / each + _EPSILON)
    of_share = math.floor(share / each + _EPSILON)
    return max(min(beside, of_share), min(keep, math.floor(left / each + _EPSILON)))
