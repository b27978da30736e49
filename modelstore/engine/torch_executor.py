"""`executor = 'torch'`: runs that train, on the CPU or a GPU."""

from collections.abc import Mapping

from modelstore.engine.finetune import FineTuning, TrainingOptions
from modelstore.engine.model_info import resolve
from modelstore.engine.task_data import TaskData


class TorchExecutor:
    """Fine-tunes models, given by name and uri, on one dataset."""

    def __init__(self, uris: Mapping[str, str], data: TaskData, options: TrainingOptions):
        self._uris = uris
        self._data = data
        self._options = options

    def start(self, model: str) -> FineTuning:
        return FineTuning(model, resolve(self._uris[model]), self._data, self._options)
