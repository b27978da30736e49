"""The worker that is this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.options import RecallOptions, TrainingOptions
from modelstore.records import InferenceCost
from modelstore.training.memory import PeakMemory
from modelstore.training.run import Executor

if TYPE_CHECKING:
    from modelstore.training.features import Features


class LocalWorker:
    """This process."""

    ready = alive = True

    def __init__(self, device: str):
        self.device = device

    def executor(
        self,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ) -> Executor:
        from modelstore.execution.torch_executor import TorchExecutor

        return TorchExecutor(models, data, replace(options, device=self.device), checkpoints)

    def features(
        self, model: ModelRef, data: TaskData, options: RecallOptions, on_batch: Callable[[], None]
    ) -> Features:
        from modelstore.execution.torch_executor import features_of

        return features_of(model, data, replace(options, device=self.device), on_batch)

    def embed_texts(self, model: ModelRef, texts: Sequence[str]) -> NDArray[np.float32]:
        from modelstore.training.features import embed_texts

        return embed_texts(model.name, model.path, texts, device=self.device)

    def inference_cost(self, model: ModelRef, modality: str, max_length: int) -> InferenceCost:
        from modelstore.training.inference_cost import measure_model

        return measure_model(model.name, model.path, modality, max_length, self.device)

    def peak_memory(self) -> PeakMemory:
        from modelstore.training.hardware import pick_device

        return PeakMemory(pick_device(self.device))

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
