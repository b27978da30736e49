"""The interface of training: runs that advance stage by stage, and executors that start them."""

from collections.abc import Callable
from typing import Protocol

from numpy.typing import NDArray

from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.records import CurvePoint


class Run(Protocol):
    """One model that goes through the stages of a training on one dataset.

    Attributes
    ----------
    curve
        The validation points so far.
    """

    curve: list[CurvePoint]

    @property
    def next_batches(self) -> int:
        """The training batches of the next stage: `advance` calls its ``on_batch`` once for each."""
        ...

    @property
    def next_seconds(self) -> float | None:
        """The seconds that the next stage is expected to take; None if there is no estimate."""
        ...

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        """Goes through one stage, and returns the validation point at its end.

        Parameters
        ----------
        test
            Whether the test split is scored too.
        on_batch
            Called after each training batch.
        """
        ...

    def test(self) -> float:
        """Returns the test score of the point that counts: of the best validation so far, or the last."""
        ...

    def save_state(self, path: AnyPath) -> None:
        """Writes a file from which the run can continue later; raises ``OSError`` if it cannot be written."""
        ...

    def release(self) -> None:
        """Frees what the run holds; only `curve` can be read after that."""
        ...


class TrainingRun(Run, Protocol):
    """A run that trains a model, in this process or in another one.

    Attributes
    ----------
    data
        The dataset.
    """

    data: TaskData

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches of each stage: `advance` calls its ``on_batch`` once for each."""
        ...

    @property
    def next_batches(self) -> int:
        """The training batches of the next stage."""
        return self.batches_per_stage[len(self.curve)]

    @property
    def next_seconds(self) -> float | None:
        """The seconds that the last stage took, for as many batches as are next; None before the first stage."""
        if not self.curve:
            return None
        return self.curve[-1].seconds * self.next_batches / self.batches_per_stage[len(self.curve) - 1]

    def predict_scores(self, split: str) -> NDArray:
        """Predicts the probability of each class or label, (rows, n), or the numbers of a regression, (rows,).

        For token classification, it is the probability of each tag of the words of all rows, (words, tags).

        The model is that of the point that counts, as in `test`.
        """
        ...

    def save(self, directory: AnyPath) -> None:
        """Writes the model of the point that counts to a new directory; raises ``OSError`` if it cannot."""
        ...


class Executor(Protocol):
    """Starts runs of models on one dataset."""

    def start(self, model: str) -> TrainingRun:
        """Starts a run, or continues its saved state; raises ``ModelError`` if the model cannot be used."""
        ...
