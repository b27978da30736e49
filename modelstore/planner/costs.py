"""How long training and scoring are expected to take, from the records, and how much memory training needs."""

from collections.abc import Mapping, Sequence

import numpy as np

from modelstore.execution.placement import WORKER_MEMORY
from modelstore.store.catalog import Dataset, Model
from modelstore.store.telemetry import Telemetry

# Bytes a parameter, in float32, of a model in training and of one at rest: its weights and the two moments of AdamW,
# and in training the gradients. Where the base is frozen, the few weights that learn beside it do not count.
ALL_LEARN, BASE_RESTS = (16, 12), (4, 4)
BYTES = {"full": ALL_LEARN, "layerwise": ALL_LEARN, "frozen": BASE_RESTS, "lora": BASE_RESTS}


class EpochTimes:
    """The seconds that an epoch of training takes, by model and dataset.

    A recorded pair takes the seconds on record. The time of another pair is scaled from the records by the model's
    parameters times the dataset's training rows, and is unknown where nothing is on record.

    Parameters
    ----------
    telemetry
        What recorded runs took.
    recipe
        The recipe of the runs.
    on
        The only dataset of interest, if there is one.
    """

    def __init__(self, telemetry: Telemetry, recipe: str, on: str | None = None):
        self._recorded = telemetry.seconds_per_epoch(recipe, on)
        self._rate = telemetry.seconds_per_work(recipe)

    def seconds_of(self, model: Model, target: str, dataset: Dataset | None) -> float | None:
        """The expected seconds of an epoch of a model on a dataset; None: unknown."""
        recorded = self._recorded.get((model.name, target))
        if recorded is not None or self._rate is None or dataset is None or model.parameters is None:
            return recorded
        return self._rate * model.parameters * dataset.train_rows

    def mean_seconds(
        self, models: Sequence[str], parameters: np.ndarray, target: str, dataset: Dataset | None
    ) -> float | None:
        """The mean of `seconds_of` over the models of which it is known.

        Parameters
        ----------
        models
            The models' names.
        parameters
            The models' sizes, (models,), NaN where unknown.
        target, dataset
            The dataset, by name and as registered.
        """
        rate = np.nan if self._rate is None or dataset is None else self._rate * dataset.train_rows
        seconds = rate * parameters
        if self._recorded:
            for place, model in enumerate(models):
                seconds[place] = self._recorded.get((model, target), seconds[place])
        known = np.isfinite(seconds)
        return float(seconds[known].mean()) if known.any() else None


def scoring_seconds(telemetry: Telemetry, parameters: np.ndarray, rows: int) -> float | None:
    """The seconds that scoring models is expected to take, scaled from the records.

    Parameters
    ----------
    telemetry
        What recorded scoring took.
    parameters
        The models' sizes, (models,). A model of unknown size, NaN, counts as the mean of the others.
    rows
        The rows that each model is scored on.

    Returns
    -------
    float or None
        None where nothing is on record.
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
    """The most bytes that the training of some of the models takes.

    Of the ``contenders``, ``at_once`` train at the same time, each but the first in a process of its own. The others
    rest with their weights and optimizer moments. Which models are recalled is not known yet, so that resting models
    count with the mean size.

    Parameters
    ----------
    names
        The models.
    parameters
        Their sizes, (models,), NaN where unknown.
    contenders
        How many of them are in memory, in training or at rest.
    measured
        The bytes that a model took in an earlier run, activations included, by name.
    tuning
        Which weights learn: a name in `modelstore.options.TUNINGS`.
    at_once
        How many train at the same time.

    Returns
    -------
    float or None
        None where no model's size is known.
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
