"""Starts the runs of a selection's arms on a worker, each with the training options of its recipe."""

from collections.abc import Mapping

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.execution.worker import Worker
from modelstore.options import TrainingOptions
from modelstore.planner.recipes import Recipe
from modelstore.planner.select.request import SelectRequest
from modelstore.training.run import TrainingRun


class ArmExecutor:
    """An executor of arms on one worker.

    Parameters
    ----------
    request
        What names the arms, and says how they train beside their recipes.
    worker
        What trains.
    models
        Where the models are, by their names.
    data
        What they are trained on.
    checkpoints
        By arm, the file of a run that goes on. It may be filled later.
    """

    def __init__(
        self,
        request: SelectRequest,
        worker: Worker,
        models: Mapping[str, ModelRef],
        data: TaskData,
        checkpoints: Mapping[str, AnyPath],
    ):
        self._request = request
        self._worker = worker
        self._models = models
        self._data = data
        self._checkpoints = checkpoints

    def start(self, arm: str) -> TrainingRun:
        """Starts an arm's run, or continues its saved state."""
        model, recipe = self._request.arms[arm]
        saved = {model: self._checkpoints[arm]} if arm in self._checkpoints else {}
        executor = self._worker.executor(self._models, self._data, self._options(recipe), saved)
        return executor.start(model)

    def _options(self, recipe: Recipe) -> TrainingOptions:
        return TrainingOptions.of(self._request.options.as_dict() | recipe.options.as_dict())
