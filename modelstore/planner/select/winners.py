"""The winners of a selection that trains: in memory, or on disk already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from numpy.typing import NDArray

from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.planner.select.trainers import WorkerTrainer
from modelstore.selection.loop import Finalist
from modelstore.training.run import TrainingRun


class Winner(Protocol):
    """A finalist whose weights can be had.

    Attributes
    ----------
    finalist
        Its scores and its curve.
    is_new
        Whether this selection trained it: its weights are to be saved, and it may be registered.
    """

    finalist: Finalist
    is_new: bool

    def write(self, directory: AnyPath) -> AnyPath:
        """Writes the weights to a new directory, if they are not on disk; returns where they are."""
        ...

    def release(self) -> None:
        """Frees what the winner takes of memory."""
        ...


@dataclass
class TrainedWinner:
    """A winner whose run is in memory, with the trainer that has it; a run that is lost is trained again."""

    finalist: Finalist
    trainer: WorkerTrainer
    is_new = True

    @property
    def data(self) -> TaskData:
        """What it was trained on."""
        return self.run.data

    def predict_scores(self, split: str) -> NDArray:
        """As ``TrainingRun.predict_scores``."""
        return self.trainer.with_all_runs(lambda: self.run.predict_scores(split))

    def write(self, directory: AnyPath) -> AnyPath:
        self.trainer.with_all_runs(lambda: self.run.save(directory))
        return directory

    def release(self) -> None:
        self.trainer.release(self.finalist.model)

    @property
    def run(self) -> TrainingRun:
        """The run in memory."""
        return self.trainer.runs[self.finalist.model]


@dataclass
class SavedWinner:
    """A winner that an earlier selection trained and saved."""

    finalist: Finalist
    directory: AnyPath
    is_new = False

    def write(self, directory: AnyPath) -> AnyPath:
        return self.directory

    def release(self) -> None:
        pass


@dataclass(frozen=True)
class Chosen:
    """The ``winners``, the best first, and those that an ensemble may be made of: empty where none is asked for."""

    winners: Sequence[Winner]
    members: Sequence[TrainedWinner] = ()

    @property
    def finalists(self) -> list[Finalist]:
        """The winners' scores and curves."""
        return [winner.finalist for winner in self.winners]
