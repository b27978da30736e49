"""How long training and scoring are expected to take, from what is on record, and how much memory training needs."""

from collections.abc import Mapping, Sequence

from modelstore.store.catalog import Dataset, Model
from modelstore.store.records import Records

# Bytes a parameter, in float32: weights, and the two moments of AdamW; one that trains has gradients too.
TRAINED, PARKED = 16, 12


class Costs:
    """Seconds an epoch, by model and dataset, of a recipe.

    A recorded pair takes what it took; another is scaled from those on record by the model's parameters
    times the dataset's training rows, or is unknown where nothing is on record.
    """

    def __init__(self, records: Records, recipe: str):
        self._recorded = records.seconds_per_epoch(recipe)
        self._rate = records.seconds_per_work(recipe)

    def epoch_of(self, model: Model, target: str, dataset: Dataset | None) -> float | None:
        """The seconds that an epoch of a model on a dataset is expected to take."""
        recorded = self._recorded.get((model.name, target))
        if recorded is not None or self._rate is None or dataset is None or model.parameters is None:
            return recorded
        return self._rate * model.parameters * dataset.train_rows

    def mean_epoch(self, models: Sequence[Model], target: str, dataset: Dataset | None) -> float | None:
        """The mean of `epoch_of` over the models of which it is known."""
        epochs = (self.epoch_of(model, target, dataset) for model in models)
        known = [seconds for seconds in epochs if seconds is not None]
        return sum(known) / len(known) if known else None


def scoring_seconds(records: Records, models: Sequence[Model], rows: int) -> float | None:
    """The seconds that scoring the models on ``rows`` rows is expected to take, scaled from what is on record.

    A model of unknown size counts as the others' mean. None where nothing is on record.
    """
    rate = records.seconds_per_scoring_work()
    sizes = [model.parameters for model in models if model.parameters is not None]
    if rate is None or not sizes:
        return None
    return rate * sum(sizes) / len(sizes) * len(models) * rows


def training_memory(models: Sequence[Model], contenders: int, measured: Mapping[str, float]) -> float | None:
    """The bytes that training ``contenders`` of the models in turns takes at most.

    One trains while the others rest with their weights and moments; who is not recalled is not known before,
    so those are of the mean size. A model that has been measured takes what it took, its activations
    included; another takes what its parameters do. None where no model's size is known.
    """
    sizes = {model.name: model.parameters for model in models if model.parameters is not None}
    if not sizes:
        return None
    training = {name: max(measured.get(name, 0.0), TRAINED * size) for name, size in sizes.items()}
    largest = max(training, key=lambda name: training[name])
    others = (sum(sizes.values()) - sizes[largest]) / max(1, len(sizes) - 1)
    return training[largest] + PARKED * others * (contenders - 1)
