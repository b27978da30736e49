"""`executor = 'torch'`: runs that train in this process, on the CPU or a GPU."""

from collections.abc import Mapping
from pathlib import Path

from modelstore.data.hub import ModelRef
from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning


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
        checkpoints: Mapping[str, Path],
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
