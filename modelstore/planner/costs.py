"""How much memory training needs."""

from collections.abc import Mapping, Sequence

import numpy as np

from modelstore.execution.placement import WORKER_MEMORY

# Bytes a parameter, in float32, of a model in training and of one at rest: its weights and the two moments of AdamW,
# and in training the gradients. Where the base is frozen, the few weights that learn beside it do not count.
ALL_LEARN, BASE_RESTS = (16, 12), (4, 4)
BYTES = {"full": ALL_LEARN, "layerwise": ALL_LEARN, "frozen": BASE_RESTS, "lora": BASE_RESTS}
# Of a GPU's memory, generously: what a model takes for each parameter, more by as much for every so many tokens of
# a batch; and what a process takes beside its model. Encoders of 17 to 110 million parameters took 16 to 22 bytes a
# parameter in batches of 1,024 tokens.
GPU_BYTES, GPU_TOKENS = 48, 8192
GPU_PROCESS = 1.5e9


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


def memory_on_gpu(
    names: Sequence[str], parameters: np.ndarray, measured: Mapping[str, float], tokens: float
) -> float | None:
    """The bytes of a GPU that the largest of the models takes while it trains there, at least what it took before.

    Parameters
    ----------
    names, parameters, measured
        As in `training_memory`, of runs on a GPU.
    tokens
        The most tokens of a batch.

    Returns
    -------
    float or None
        None where the size of one of the models is not known.
    """
    if not len(parameters) or not np.isfinite(parameters).all():
        return None
    seen = max(measured.get(name, 0.0) for name in names)
    return max(seen, GPU_BYTES * (1 + tokens / GPU_TOKENS) * float(parameters.max())) + GPU_PROCESS
