"""How long training and scoring are expected to take, from what is on record, and how much memory training needs."""

from collections.abc import Mapping, Sequence

import numpy as np

from modelstore.execution.placement import WORKER_MEMORY
from modelstore.store.catalog import Dataset, Model
from modelstore.store.telemetry import Telemetry

# Bytes a parameter, in float32, while its model trains and at rest: weights, and the two moments of AdamW; one that
# trains has gradients too. What learns beside a base that does not is small.
ALL_LEARN, BASE_RESTS = (16, 12), (4, 4)
BYTES = {"full": ALL_LEARN, "layerwise": ALL_LEARN, "frozen": BASE_RESTS, "lora": BASE_RESTS}


class Costs:
    """Seconds an epoch, by model and dataset, of a recipe.

    A recorded pair takes what it took; another is scaled from those on record by the model's parameters
    times the dataset's training rows, or is unknown where nothing is on record.
    """

    def __init__(self, telemetry: Telemetry, recipe: str, on: str | None = None):
        """``on`` is the one dataset that matters, if there is one."""
        self._recorded = telemetry.seconds_per_epoch(recipe, on)
        self._rate = telemetry.seconds_per_work(recipe)

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


def scoring_seconds(telemetry: Telemetry, parameters: np.ndarray, rows: int) -> float | None:
    """The seconds that scoring models on ``rows`` rows is expected to take, scaled from what is on record.

    ``parameters`` (models,): a model of unknown size, NaN, counts as the others' mean. None where nothing is on
    record.
    """
    rate = telemetry.seconds_per_scoring_work()
    sizes = parameters[np.isfinite(parameters)]
    if rate is None or not len(sizes):
        return None
    return float(rate * sizes.mean() * len(parameters) * rows)


def training_memory(
    names: Sequence[str],
    parameters: np.ndarray,
    contenders: int,
    measured: Mapping[str, float],
    tuning: str,
    at_once: int = 1,
) -> float | None:
    """The bytes that training ``contenders`` of the models takes at most.

    So many train ``at_once``, each but the first in a process of its own, while the others rest with their
    weights, and the moments of what learns by the ``tuning``; who is not recalled is not known before, so those are
    of the mean size. A model that has been ``measured`` takes what it took, its activations included; another takes
    what its ``parameters`` (models,) do, NaN where they are not known. None where no model's size is known.
    """
    known = np.isfinite(parameters)
    sizes = parameters[known]
    if not len(sizes):
        return None
    taken = np.array(
        [measured.get(name, 0.0) for name, is_known in zip(names, known, strict=True) if is_known]
    )
    in_training, at_rest = BYTES[tuning]
    training = np.maximum(taken, in_training * sizes)
    largest = training.argmax()
    others = (sizes.sum() - sizes[largest]) / max(1, len(sizes) - 1)
    resting = at_rest * others * max(0, contenders - at_once)
    return float(training[largest] * at_once + WORKER_MEMORY * (at_once - 1) + resting)
