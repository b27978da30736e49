"""The protocol between `WorkerClient` and `WorkerServer`.

The client sends an `Ask`, which holds one request, and the server answers it with `Done` or `Failed`, after
any number of `BatchesDone`. `ReleaseRun` and `ReleaseAll` have no answer. `Stop` interrupts the request that is
being carried out, which then fails. A server says `Ready` once, when it has started.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.options import RecallOptions, TrainingOptions
from modelstore.records import CurvePoint, InferenceCost

Result = TypeVar("Result")


class Request(Generic[Result]):
    """What a server is asked to do; a ``Result`` comes back."""


@dataclass(frozen=True)
class Prepare(Request[None]):
    """Runs that are started next train on this data; paths and settings are those of the client's process."""

    folder: str
    environment: Mapping[str, str]
    data: TaskData


@dataclass(frozen=True)
class RunStarted:
    """A run's curve so far, and the training batches in each of its stages."""

    curve: list[CurvePoint]
    batches_per_stage: list[int]


@dataclass(frozen=True)
class StartRun(Request[RunStarted]):
    """Starts a run under a number that the client chose, or goes on with the one in the file ``checkpoint``."""

    run: int
    model: ModelRef
    options: TrainingOptions
    checkpoint: AnyPath | None


@dataclass(frozen=True)
class Advance(Request[CurvePoint]):
    """Trains a run to its next validation point; with ``test`` it is scored on the test split too."""

    run: int
    test: bool


@dataclass(frozen=True)
class Test(Request[float]):
    """Scores a run on the test split."""

    run: int


@dataclass(frozen=True)
class PredictScores(Request[NDArray]):
    """Predicts the rows of a split, in the form of ``TrainingRun.predict_scores``."""

    run: int
    split: str


@dataclass(frozen=True)
class ExtractFeatures(Request[Any]):
    """Computes the `Features` of a model for rows of the train split."""

    model: ModelRef
    options: RecallOptions


@dataclass(frozen=True)
class EmbedTexts(Request[NDArray]):
    """Embeds texts with a text model, (texts, dimensions)."""

    model: ModelRef
    texts: Sequence[str]
    device: str


@dataclass(frozen=True)
class MeasureCost(Request[InferenceCost]):
    """Measures what it costs to use a model."""

    model: ModelRef
    modality: str
    max_length: int
    device: str


@dataclass(frozen=True)
class Save(Request[None]):
    """Writes a run's model to a new directory."""

    run: int
    directory: AnyPath


@dataclass(frozen=True)
class SaveState(Request[None]):
    """Writes a checkpoint of a run to a file."""

    run: int
    path: AnyPath


@dataclass(frozen=True)
class WatchMemory(Request[None]):
    """Begins to measure the most memory in use on a device."""

    device: str


@dataclass(frozen=True)
class ReportMemory(Request["int | None"]):
    """Ends what `WatchMemory` began: the bytes that were in use at most, None where the system does not say."""


@dataclass(frozen=True)
class Ask:
    """A request, to be carried out on so many CPU threads."""

    request: Request[Any]
    threads: int


@dataclass(frozen=True)
class ReleaseRun:
    """Frees a run."""

    run: int


@dataclass(frozen=True)
class ReleaseAll:
    """Frees all runs and the data; the server may end if nothing is asked of it for long."""


@dataclass(frozen=True)
class Stop:
    """Interrupts the request that is being carried out."""


@dataclass(frozen=True)
class Ready:
    """The server has started."""


@dataclass(frozen=True)
class BatchesDone:
    """So many training batches are done since the last word of them."""

    count: int


@dataclass(frozen=True)
class Done:
    """A request has been carried out."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """A request could not be carried out."""

    error: Exception

    @classmethod
    def because_of(cls, error: BaseException) -> Failed:
        """The answer for ``error``; one whose class cannot be sent to another process is sent as its text.

        So is one that would end the client's program, such as ``SystemExit``.
        """
        text = RuntimeError(f"{type(error).__name__}: {error}")
        if not isinstance(error, Exception):
            return cls(text)
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return cls(text)
        return cls(error)


Message = Ask | ReleaseRun | ReleaseAll | Stop
Answer = Ready | BatchesDone | Done | Failed
