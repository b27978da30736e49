"""What a selection asks of whoever carries out its training: runs, stage by stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from numpy.typing import NDArray

from modelstore.data.task_data import TaskData
from modelstore.records import CurvePoint


class Run(Protocol):
    """One model on its way through the stages on one dataset."""

    curve: list[CurvePoint]

    @property
    def next_batches(self) -> int:
        """The training batches in the next stage: as often does `advance` call its `on_batch`."""
        ...

    @property
    def next_seconds(self) -> float | None:
        """What the next stage is expected to take; None where that is not known."""
        ...

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        """To the next validation point."""
        ...

    def test(self) -> float:
        """The test score, now."""
        ...

    def save_state(self, path: Path) -> None:
        """Writes a file from which the run can go on later; ``OSError`` where it cannot."""
        ...

    def release(self) -> None: ...


class Trained(Run, Protocol):
    """A run that has a model in memory, here or in a helper: what it trains in a stage is known before."""

    data: TaskData

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches in each stage: as often does `advance` call its `on_batch`."""
        ...

    @property
    def next_batches(self) -> int:
        """The training batches in the stage that comes next."""
        return self.batches_per_stage[len(self.curve)]

    @property
    def next_seconds(self) -> float | None:
        """The seconds that the next stage is expected to take: as long as the last one."""
        return self.curve[-1].seconds if self.curve else None

    def predict_scores(self, split: str) -> NDArray:
        """Each class's probability, (rows, classes), or the numbers of a regression, (rows,)."""
        ...

    def save(self, directory: Path) -> None:
        """Writes the model to a new directory; ``OSError`` where it cannot."""
        ...


class Executor(Protocol):
    def start(self, model: str) -> Trained:
        """A run of a model, from its beginning or where it was saved; ``ModelError`` where it cannot be used."""
        ...
