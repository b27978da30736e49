"""What a statement needs of the hub and of the disk, for EXPLAIN."""

from collections.abc import Iterable, Sequence

import numpy as np

from modelstore.data.hub import SCHEME, must_be_fetched
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Step, counted
from modelstore.planner.select.request import SelectRequest
from modelstore.sizes import size
from modelstore.store.registered import Dataset

WEIGHT = 4  # bytes of a parameter, in float32
SAVED = {
    "full": 12,
    "layerwise": 12,
}  # of a run that rests: weights and two moments; of other tunings next to nothing


class Downloads(Step):
    """What must come from the hub before a statement can run.

    Parameters
    ----------
    models
        How many models are wanted.
    missing
        The parameters of those that are not in the hub's cache; None where they are not known.
    datasets
        The names of the datasets that are not there.
    """

    def __init__(self, models: int, missing: Sequence[int | None], datasets: Sequence[str]):
        self._models = models
        self._missing = missing
        self._datasets = datasets

    def describe(self) -> str:
        parts = [f"{len(self._missing):,} of {counted(self._models, 'model')}"] if self._missing else []
        parts += [f"dataset {name}" for name in self._datasets]
        return f"to download · {', '.join(parts)}"

    def expected(self) -> Cost:
        known = [parameters for parameters in self._missing if parameters]
        unknown = len(self._missing) - len(known) + len(self._datasets)
        parts = [f"at most {size(float(sum(known)) * WEIGHT)}"] if known else []
        return Cost(" and ".join([*parts, f"{unknown:,} of unknown size"] if unknown else parts))


def downloads(
    context: StatementContext, models: list[str], datasets: Iterable[Dataset | None]
) -> tuple[Downloads, ...]:
    """What must come from the hub for some models and datasets; nothing where all of it is here."""
    on_hub = context.store.catalog.addresses(models, SCHEME)
    missing = [parameters for uri, parameters in on_hub.values() if must_be_fetched(uri, "model")]
    without = [
        dataset.name
        for dataset in datasets
        if dataset is not None and dataset.uri is not None and must_be_fetched(dataset.uri, "dataset")
    ]
    return (Downloads(len(models), missing, without),) if missing or without else ()


class CheckpointDisk(Step):
    """The disk that a selection takes for the runs that rest between stages, and for its winners.

    Parameters
    ----------
    context
        The statement's context.
    request
        The selection.
    names
        The candidates; which of them are trained is not known yet, so that all count with their mean size.
    contenders
        How many of them begin.
    """

    def __init__(self, context: StatementContext, request: SelectRequest, names: list[str], contenders: int):
        self._context = context
        self._request = request
        self._names = names
        self._contenders = contenders

    def describe(self) -> str:
        winners = counted(min(self._request.count, len(self._names)), "winner")
        runs = self._runs_on_disk()
        return f"disk · {counted(runs, 'run')} between stages, {winners}" if runs else f"disk · {winners}"

    def expected(self) -> Cost:
        parameters = self._context.store.catalog.parameters_of(self._names)
        known = parameters[np.isfinite(parameters)]
        if not len(known):
            return Cost()
        saved = SAVED.get(self._request.recipe.options.tuning, 0)
        each = self._runs_on_disk() * saved + min(self._request.count, len(self._names)) * WEIGHT
        return Cost(size(float(known.mean()) * each))

    def _runs_on_disk(self) -> int:
        """The most runs that are on disk at a time: a stage's are removed when those of the next are saved."""
        request, staying, before, most = self._request, self._contenders, 0, 0
        for stage in range(1, request.stages.count):
            staying = request.strategy.survivors(staying, request.likely_kept(self._contenders), stage)
            most, before = max(most, before + staying), staying
        return most
