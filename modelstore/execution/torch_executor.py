"""What runs models in this process, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.options import RecallOptions, TrainingOptions
from modelstore.training.finetune import FineTuning

if TYPE_CHECKING:
    from modelstore.training.features import Features


class TorchExecutor:
    """Fine-tunes models on one dataset.

    Parameters
    ----------
    models
        The models that may be started, by name.
    data
        What they are trained on.
    options
        How, and on which device.
    checkpoints
        By model, the file of a run that goes on. It may be filled later.
    """

    def __init__(
        self,
        models: Mapping[str, ModelRef],
        data: TaskData,
        options: TrainingOptions,
        checkpoints: Mapping[str, AnyPath],
    ):
        self._models = models
        self._data = data
        self._options = options
        self._checkpoints = checkpoints

    def start(self, model: str) -> FineTuning:
        ref = self._models[model]
        run = FineTuning(ref.name, ref.path, self._data, self._options)
        if model in self._checkpoints:
            run.restore(self._checkpoints[model])
        return run


def features_of(
    model: ModelRef, data: TaskData, options: RecallOptions, on_batch: Callable[[], None]
) -> Features:
    """The output of a model before any fine-tuning; the parameters and errors are those of `Worker.features`."""
    from modelstore.training.features import extract

    return extract(
        model.name,
        model.path,
        data,
        rows=options.proxy_rows,
        seed=options.seed,
        batch_size=options.batch_size,
        max_length=options.max_length,
        device=options.device,
        on_batch=on_batch,
        layers=options.layers,
    )
