"""Which learning rates a run tries in its first stage, where none is given.

Wide and deep networks and long trainings want small rates. Three lie around

    centre = RATE · (WIDTH / width) · (LAYERS / layers)^½ · (STEPS / steps)^¼,

each `FACTOR` times the one below. The anchor is chosen on recorded runs of pretrained encoders
(`benchmarks/learning_rates.py`; docs/benchmarks.md has the figures); it lies below the best rates, as a high rate is
ahead after a short stage. A head alone, or low-rank adapters, want larger rates than whole networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

RATE, WIDTH, LAYERS, STEPS = 1.2e-4, 384, 6, 57
FACTOR = 2.75
SHARES = {"full": 1.0, "layerwise": 2.0, "lora": 8.0, "frozen": 8.0}  # of the centre, by tuning


def rates_to_try(width: float, layers: int, steps: int, tuning: str) -> tuple[float, ...]:
    """The learning rates to try, rising.

    Parameters
    ----------
    width
        The hidden width of the network, by `width_of`.
    layers
        Its layers, by `layers_of`.
    steps
        The optimizer's steps of the whole training.
    tuning
        Which weights are trained: a name in `modelstore.options.TUNINGS`.

    Examples
    --------
    >>> rates_to_try(384, 6, 57, "full")
    (4.4e-05, 0.00012, 0.00033)
    """
    centre = RATE * SHARES[tuning] * (WIDTH / width) * (LAYERS / layers) ** 0.5 * (STEPS / steps) ** 0.25
    return tuple(_rounded(rate) for rate in (centre / FACTOR, centre, centre * FACTOR))


def width_of(network: nn.Module) -> float:
    """The hidden width of a network, as its config has it.

    Of a network whose stages widen, and where the config has none, it is the geometric mean of the stages or layers.
    """
    widths: Any = getattr(network.config, "hidden_sizes", None)
    if not (isinstance(widths, Sequence) and widths):
        width = getattr(network.config, "hidden_size", None)
        if isinstance(width, int):
            return width
        widths = [parameter.shape[0] for parameter in network.parameters() if parameter.ndim > 1]
    return math.exp(sum(map(math.log, widths)) / len(widths))


def layers_of(network: nn.Module) -> int:
    """The layers of a network, as its config has them; `LAYERS` where it has none."""
    layers = getattr(network.config, "num_hidden_layers", None) or sum(getattr(network.config, "depths", ()))
    return int(layers) or LAYERS


@dataclass(frozen=True)
class Trial:
    """What a first stage at one learning rate came to.

    The rate of the least loss on validation goes on: a continuous signal, where the scores of a short stage on few
    rows are level or tell little.

    Parameters
    ----------
    loss, score
        The mean loss and the score on the validation split.
    train_loss
        The mean loss in training.
    """

    loss: float
    score: float
    train_loss: float


def _rounded(rate: float) -> float:
    """A rate with two digits, as a person would write it."""
    return float(f"{rate:.1e}")
