"""How long training and scoring are expected to take: from models' shapes, datasets' sizes and recorded runs.

A model's shape, the tokens of a dataset's rows and the rates of the device (`modelstore.training.speed`) say how long
an epoch takes. Recorded runs correct that by factors: one of all runs, one of each model and one of each dataset,
shrunk towards 1 where few runs say so. A recorded pair takes the seconds on record.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelstore.data.model_shape import ModelShape, shape_of
from modelstore.options import RecipeOptions
from modelstore.planner.row_sizes import TokensPerRow
from modelstore.store import Store
from modelstore.store.registered import Dataset, Model
from modelstore.training.speed import FORWARD_SHARE, TYPICAL, Speed

RUNS = 1_000  # recorded pairs that are compared with their estimates
DATASETS = 40  # whose rows are sampled for that
SAMPLED = 200  # models whose mean stands for that of more
ROUNDS = 3  # of fitting models' and datasets' factors in turn
SHRINKAGE = 1.0  # runs that speak for a factor of 1
LOADING = 0.3  # seconds of loading a model to score it, and for each byte of its weights:
LOADING_BYTES = 1e-9
BYTES_A_PARAMETER = 4


ShapeOf = Callable[[Model], ModelShape]
FindSpeed = Callable[[Sequence[Model], ShapeOf], Speed | None]


def unmeasured(models: Sequence[Model], shape_of_model: ShapeOf) -> Speed | None:
    """Where nothing is on record, nothing is known."""
    return None


@dataclass(frozen=True)
class PassTimes:
    """Seconds of one model on one dataset: of an epoch of training, and of a pass over the validation split."""

    epoch: float
    validation: float

    def whole(self, epochs: float, validations: float) -> float:
        """The seconds of so many epochs with so many validations."""
        return self.epoch * epochs + self.validation * validations


class Corrections:
    """Factors by which recorded runs took longer than was estimated.

    Parameters
    ----------
    ratios
        The recorded seconds over the estimated ones, by (model, dataset).
    """

    def __init__(self, ratios: Mapping[tuple[str, str], float]):
        logs = {pair: float(np.log(ratio)) for pair, ratio in ratios.items()}
        self._common = float(np.mean(list(logs.values()))) if logs else 0.0
        self._effects: tuple[dict[str, float], dict[str, float]] = ({}, {})
        for _ in range(ROUNDS):
            for axis in (0, 1):
                left: defaultdict[str, list[float]] = defaultdict(list)
                for pair, value in logs.items():
                    other = self._effects[1 - axis].get(pair[1 - axis], 0.0)
                    left[pair[axis]].append(value - self._common - other)
                self._effects[axis].update(
                    {name: sum(values) / (len(values) + SHRINKAGE) for name, values in left.items()}
                )

    def of(self, model: str, dataset: str) -> float:
        """The factor for a pair, whether or not it is on record."""
        effects = self._effects[0].get(model, 0.0) + self._effects[1].get(dataset, 0.0)
        return float(np.exp(self._common + effects))


class TrainingTimes:
    """The seconds that models are expected to take on datasets.

    Parameters
    ----------
    store
        The store, with its records.
    recipe, options
        The recipe whose records are read, and how models are trained.
    target
        The only dataset of interest, if there is one.
    find_speed
        Gives the device's speed where nothing is on record, or None where it is not known.
    """

    def __init__(
        self,
        store: Store,
        recipe: str,
        options: RecipeOptions,
        target: Dataset | None,
        find_speed: FindSpeed,
    ):
        self._store = store
        self._recipe = recipe
        self._options = options
        self._target = target
        self._find_speed = find_speed
        self._tokens = TokensPerRow(store, target)
        self._shapes: dict[str, ModelShape] = {}
        self._speed: Speed | None = None

    @cached_property
    def _recorded(self) -> dict[tuple[str, str], tuple[float, float]]:
        """The seconds of an epoch and the validations in it, by pair."""
        on = self._target.name if self._target else None
        runs = self._store.telemetry.epochs_of_runs(self._recipe, on, RUNS)
        return {(run.model, run.dataset): (run.seconds, run.validations) for run in runs}

    @property
    def is_measured(self) -> bool:
        """Whether the estimates come from the device's rates alone, since nothing fitting is on record."""
        return self._corrections is None and self._speed is not None

    @cached_property
    def _corrections(self) -> Corrections | None:
        """What recorded runs say of the estimates; None where none can be compared with its estimate."""
        ratios = {}
        datasets = {name: self._store.catalog.find_dataset(name) for name in self._compared}
        models = self._store.catalog.find_models(sorted({model for model, _ in self._recorded}))
        for (model, name), (seconds, validations) in self._recorded.items():
            dataset = datasets.get(name)
            if dataset is None or model not in models:
                continue
            estimate = self._estimate(models[model], dataset, TYPICAL)
            if estimate is not None:
                ratios[model, name] = seconds / estimate.whole(1.0, validations)
        return Corrections(ratios) if ratios else None

    @property
    def _compared(self) -> list[str]:
        """The datasets whose runs are compared with their estimates, the target first."""
        names = sorted({name for _, name in self._recorded})
        target = self._target.name if self._target else None
        return sorted(names, key=lambda name: name != target)[:DATASETS]

    def prepare(self, models: Sequence[Model]) -> None:
        """Finds what `of` needs to know of the device for these models."""
        self._speed = TYPICAL if self._corrections else self._find_speed(models, self._shape)

    def of(self, name: str, model: Model | None, target: str, dataset: Dataset | None) -> PassTimes | None:
        """What a model is expected to take on a dataset, each by name and as registered; None: unknown."""
        recorded = self._recorded.get((name, target))
        if recorded is not None:
            seconds, validations = recorded
            share = 0.0
            if dataset is not None and dataset.train_rows:
                share = FORWARD_SHARE * (dataset.validation_rows or 0) / dataset.train_rows
            epoch = seconds / (1 + share * validations)
            return PassTimes(epoch, share * epoch)
        if self._speed is None or model is None or dataset is None:
            return None
        estimate = self._estimate(model, dataset, self._speed)
        if estimate is None or self._corrections is None:
            return estimate
        factor = self._corrections.of(name, target)
        return PassTimes(estimate.epoch * factor, estimate.validation * factor)

    def mean(self, names: Sequence[str], target: str, dataset: Dataset | None) -> PassTimes | None:
        """The mean of `of` over models, of a sample where there are many; None: unknown."""
        few, found = self._sampled(names)
        self.prepare(list(found.values()))
        each = [self.of(name, found.get(name), target, dataset) for name in few]
        times = [one for one in each if one is not None]
        if not times:
            return None
        return PassTimes(
            float(np.mean([one.epoch for one in times])), float(np.mean([one.validation for one in times]))
        )

    def scoring(self, names: Sequence[str], dataset: Dataset, rows: int) -> tuple[float | None, bool]:
        """The seconds of scoring models by proxies on so many rows each, and whether a probe says so.

        None where they are not known.
        """
        found = list(self._sampled(names)[1].values())
        factor = self._scoring_factor()
        known = self._find_speed(found, self._shape) if factor is None else TYPICAL
        if known is None:
            return None, False
        each = [self._score(model, dataset, rows, known) for model in found]
        seconds = [one for one in each if one is not None]
        if not seconds:
            return None, False
        return float(np.mean(seconds) * len(names) * (factor or 1.0)), factor is None

    def _scoring_factor(self) -> float | None:
        """The geometric mean of recorded scoring over its estimates; None where nothing can be compared."""
        runs = self._store.telemetry.scoring_runs(RUNS)
        models = self._store.catalog.find_models(sorted({run.model for run in runs}))
        names = sorted({run.dataset for run in runs})[:DATASETS]
        datasets = {name: self._store.catalog.find_dataset(name) for name in names}
        ratios = []
        for run in runs:
            dataset = datasets.get(run.dataset)
            if run.model in models and dataset is not None:
                estimate = self._score(models[run.model], dataset, run.rows, TYPICAL)
                if estimate:
                    ratios.append(run.seconds / estimate)
        return float(np.exp(np.mean(np.log(ratios)))) if ratios else None

    def _score(self, model: Model, dataset: Dataset, rows: int, known: Speed) -> float | None:
        if not model.parameters:
            return None
        shape = self._shape(model)
        loading = LOADING + LOADING_BYTES * BYTES_A_PARAMETER * model.parameters
        forward = known.forward(shape, rows, self._row_size(model, dataset), self._options.batch_size)
        return loading + forward

    def _estimate(self, model: Model, dataset: Dataset, known: Speed) -> PassTimes | None:
        if not model.parameters or not dataset.train_rows:
            return None
        shape, options = self._shape(model), self._options
        tokens = self._row_size(model, dataset)
        size, tuning = options.batch_size, options.tuning
        epoch = known.epoch(shape, dataset.train_rows, tokens, size, tuning)
        if options.gradient_checkpointing and tuning != "frozen":
            epoch *= 1 + FORWARD_SHARE  # each forward pass is done twice
        validation = known.forward(shape, dataset.validation_rows or 0, tokens, size)
        if tuning == "frozen":  # each row passes through the base once in the whole training
            return PassTimes(epoch / options.epochs, validation / options.epochs)
        return PassTimes(epoch, validation)

    def _row_size(self, model: Model, dataset: Dataset) -> float:
        tokens = self._shape(model).tokens
        return tokens or self._tokens.of(model, dataset, self._options.max_length)

    def _shape(self, model: Model) -> ModelShape:
        if model.name not in self._shapes:
            self._shapes[model.name] = shape_of(model.uri, float(model.parameters or 0), model.modality)
        return self._shapes[model.name]

    def _sampled(self, names: Sequence[str]) -> tuple[list[str], dict[str, Model]]:
        """The names, of many some that lie evenly among them; and the registered models among those."""
        few = list(names)[:: max(1, len(names) // SAMPLED)]
        found = self._store.catalog.find_models(few)
        return few, {name: found[name] for name in few if name in found}
