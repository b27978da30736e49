"""`executor = 'torch'`: runs that train, on the CPU or a GPU."""

from collections.abc import Mapping
from pathlib import Path

from modelstore.data.model_info import resolve
from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning


class TorchExecutor:
    """Fine-tunes models, given by name and uri, on one dataset; ``states`` are files of runs to go on from."""

    def __init__(
        self,
        uris: Mapping[str, str],
        data: TaskData,
        options: TrainingOptions,
        states: Mapping[str, Path] | None = None,
    ):
        self._uris = uris
        self._data = data
        self._options = options
        self._states = {} if states is None else states  # which may be filled later

    def start(self, model: str) -> FineTuning:
        run = FineTuning(model, resolve(self._uris[model]), self._data, self._options)
        if model in self._states:
            run.restore(self._states[model])
        return run
