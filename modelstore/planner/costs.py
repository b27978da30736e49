"""How long training is expected to take, from what is on record."""

from collections.abc import Mapping, Sequence

from modelstore.store.catalog import Dataset, Model
from modelstore.store.records import Records


class Costs:
    """Seconds an epoch by model and dataset.

    A recorded pair took what it took; another is scaled from those on record by the model's parameters
    and the dataset's training rows, or is unknown where nothing is on record.
    """

    def __init__(
        self,
        records: Records,
        recipe: str,
        models: Mapping[str, Model],
        datasets: Mapping[str, Dataset],
    ):
        self._models = models
        self._datasets = datasets
        self._recorded = {
            (model, dataset): seconds for model, dataset, seconds in records.seconds_per_epoch(recipe)
        }
        work = 0.0
        seconds = 0.0
        for (model, dataset), taken in self._recorded.items():
            size = self._work(model, dataset)
            if size:
                work += size
                seconds += taken
        self._rate = seconds / work if work else None

    def _work(self, model: str, dataset: str) -> float | None:
        known, rows = self._models.get(model), self._datasets.get(dataset)
        return known.parameters * rows.train_rows if known and known.parameters and rows else None

    def epoch_of(self, model: str, dataset: str) -> float | None:
        """The seconds that an epoch of a model on a dataset is expected to take."""
        if (model, dataset) in self._recorded:
            return self._recorded[model, dataset]
        work = self._work(model, dataset)
        return self._rate * work if self._rate is not None and work else None

    def mean_epoch(self, models: Sequence[str], dataset: str) -> float | None:
        """The mean of `epoch_of` over the models it is known of."""
        known = [seconds for model in models if (seconds := self.epoch_of(model, dataset)) is not None]
        return sum(known) / len(known) if known else None
