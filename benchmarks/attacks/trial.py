"""What one trial of an attack came to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """One trial.

    Parameters
    ----------
    problem
        What was lost, hung or wrong, in a sentence; None where nothing was.
    facts
        What is counted over all trials: numbers by name.
    """

    problem: str | None = None
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attack:
    """An attack that is tried many times.

    Parameters
    ----------
    what
        What is done, in a few words for the table.
    trials
        How many trials the table is made of.
    prepare
        Makes what all trials begin with, in an empty folder; gives the function that makes the trial of a number.
        The same number is the same trial in every run.
    unit
        What is counted, and how many of it a trial makes.
    """

    what: str
    trials: int
    prepare: Callable[[Path], Callable[[int], Trial]]
    unit: tuple[str, int] = ("trials", 1)
