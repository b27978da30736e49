"""How long training is expected to take, from what is on record."""

from collections.abc import Sequence

import numpy as np

from modelstore.store.catalog import Dataset, Model
from modelstore.store.records import Records


class Costs:
    """Seconds an epoch, by model and dataset, of a recipe.

    A recorded pair takes what it took; another is scaled from those on record by the model's parameters
    times the dataset's training rows, or is unknown where nothing is on record.
    """

    def __init__(self, records: Records, recipe: str, on: str | None = None):
        """``on`` is the one dataset that matters, if there is one."""
        self._recorded = records.seconds_per_epoch(recipe, on)
        self._rate = records.seconds_per_work(recipe)

    def epoch_of(self, model: Model, target: str, dataset: Dataset | None) -> float | None:
        """The seconds that an epoch of a model on a dataset is expected to take."""
        recorded = self._recorded.get((model.name, target))
        if recorded is not None or self._rate is None or dataset is None or model.parameters is None:
            return recorded
        return self._rate * model.parameters * dataset.train_rows

    def mean_epoch(
        self, models: Sequence[str], parameters: np.ndarray, target: str, dataset: Dataset | None
    ) -> float | None:
        """The mean of `epoch_of` over the models of which it is known; ``parameters`` (models,), NaN if unknown."""
        rate = np.nan if self._rate is None or dataset is None else self._rate * dataset.train_rows
        seconds = rate * parameters
        if self._recorded:
            for place, model in enumerate(models):
                seconds[place] = self._recorded.get((model, target), seconds[place])
        known = np.isfinite(seconds)
        return float(seconds[known].mean()) if known.any() else None
