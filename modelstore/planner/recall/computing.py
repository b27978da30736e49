"""The proxy scores of one model, computed from the target's data."""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from modelstore.data.hub import resolve_model
from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.execution.worker import Worker
from modelstore.options import RecallOptions
from modelstore.recall.proxies import Measured, compute, computed_name
from modelstore.store.registered import Model
from modelstore.tasks import NUMBER


@dataclass(frozen=True)
class ComputedScores:
    """Raw scores of a model by proxy, the rows that they were computed from, and the seconds that it took."""

    by_proxy: dict[str, float]
    rows: int
    seconds: float
    has_head: bool


def compute_scores(
    worker: Worker,
    model: Model,
    proxies: Collection[str],
    data: TaskData,
    options: RecallOptions,
    on_batch: Callable[[], None],
) -> ComputedScores:
    """Computes proxies from one forward pass over rows of the train split.

    Parameters
    ----------
    worker
        What runs the model.
    model
        The model, which has weights.
    proxies
        The proxies to compute; LEEP is NLEEP where the model has no classification head.
    data
        The target's rows.
    options
        How many rows, and in what batches.
    on_batch
        Called after each batch.

    Raises
    ------
    ModelError
        Where the model cannot be loaded.
    TrainingError
        Where a proxy cannot be computed, such as from features that are not finite.
    """
    began = time.perf_counter()
    extracted = worker.features(resolve_model(model.name, str(model.uri)), data, options, on_batch)
    has_head = extracted.probabilities is not None
    names = sorted({computed_name(name, data.target, has_head) for name in proxies})
    try:
        measured = Measured(
            extracted.features,
            extracted.probabilities,
            extracted.labels,
            data.target is NUMBER,
            extracted.by_layer,
        )
        scores = compute(names, measured)
    except ValueError as error:
        raise TrainingError(f"the proxies of {model.name} cannot be computed: {error}") from error
    useless = [name for name in names if not math.isfinite(scores[name])]
    if useless:
        raise TrainingError(f"the {', '.join(useless)} score of {model.name} is not a finite number")
    return ComputedScores(scores, extracted.rows, time.perf_counter() - began, has_head)
