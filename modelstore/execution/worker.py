"""The interface of a worker: something that trains one run at a time on its own device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.options import RecallOptions, TrainingOptions
from modelstore.records import InferenceCost
from modelstore.training.run import Executor

if TYPE_CHECKING:
    from modelstore.training.features import Features


class WorkerLost(duckdb.OperationalError):
    """A worker's process has ended, and what it had in memory is gone."""


class MemoryReport(Protocol):
    """The most memory that a worker had in use in a block of code."""

    @property
    def bytes(self) -> int | None:
        """In bytes, once the block has ended; None where nothing was measured."""
        ...


class Worker(Protocol):
    """Trains one run at a time."""

    device: str

    @property
    def ready(self) -> bool:
        """Whether it can begin at once: a process may still be starting."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it still has the runs that were started on it."""
        ...

    def executor(
        self,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ) -> Executor:
        """An executor that starts runs on this worker's device.

        Parameters
        ----------
        models
            The models that may be started, by name.
        data
            What they are trained on.
        options
            How they are trained; the device is the worker's.
        checkpoints
            By model, the file of a run that goes on; other models begin. It may be filled later.
        """
        ...

    def features(
        self, model: ModelRef, data: TaskData, options: RecallOptions, on_batch: Callable[[], None]
    ) -> Features:
        """The output of a model before any fine-tuning, for rows of the train split.

        Parameters
        ----------
        model
            The model.
        data
            The dataset.
        options
            How many rows, in what batches; the device is the worker's.
        on_batch
            Called after each batch.

        Raises
        ------
        ModelError, DatasetError, TrainingError
            As `modelstore.training.features.extract` does.
        """
        ...

    def embed_texts(self, model: ModelRef, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts with a text model, (texts, dimensions).

        Raises
        ------
        ModelError, TrainingError
            As `modelstore.training.features.embed_texts` does.
        """
        ...

    def inference_cost(self, model: ModelRef, modality: str, max_length: int) -> InferenceCost:
        """What it costs to use a model on this worker's device.

        Raises
        ------
        ModelError, TrainingError
            As `modelstore.training.inference_cost.measure_model` does.
        """
        ...

    def peak_memory(self) -> AbstractContextManager[MemoryReport]:
        """A block of code in which the most memory in use is measured."""
        ...

    def using(self, threads: int) -> AbstractContextManager[None]:
        """A block of code in which the worker computes on so many CPU threads."""
        ...


class NoWorker:
    """Stands for a worker where none can be given: what is started on it fails.

    Parameters
    ----------
    reason
        Why.
    """

    device = "cpu"
    ready = alive = True

    def __init__(self, reason: str):
        self._reason = reason

    def executor(
        self,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ) -> Executor:
        raise TrainingError(self._reason)

    def features(
        self, model: ModelRef, data: TaskData, options: RecallOptions, on_batch: Callable[[], None]
    ) -> Features:
        raise TrainingError(self._reason)

    def embed_texts(self, model: ModelRef, texts: Sequence[str]) -> NDArray[np.float32]:
        raise TrainingError(self._reason)

    def inference_cost(self, model: ModelRef, modality: str, max_length: int) -> InferenceCost:
        raise TrainingError(self._reason)

    def peak_memory(self) -> AbstractContextManager[MemoryReport]:
        raise TrainingError(self._reason)

    def using(self, threads: int) -> AbstractContextManager[None]:
        return nullcontext()
