"""How fast a device trains: the seconds of a training step, from a model's shape and four rates of the device.

The rates are measured once (`speed_probe`) and remembered in the folder of the cache, for each device, version of
torch and number of threads. Nothing here loads torch.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from modelstore.data.cache import folder
from modelstore.data.model_shape import ModelShape

# A training step is a forward pass and a backward pass of twice the work.
FORWARD_SHARE = 1 / 3
BESIDE_LAYERS = (
    2  # layers' worth of calls that a step takes besides its layers: embeddings, head, loss, batches
)
_EVALUATION_BATCH = 2  # how many times larger than in training


@dataclass(frozen=True)
class Speed:
    """The rates of a device.

    Parameters
    ----------
    overhead
        Seconds of a training step for each layer, however small it is.
    elementwise
        Seconds of a training step for each number of each token in each layer.
    per_flop
        Seconds for each floating-point operation of matrix products.
    per_parameter
        Seconds of the optimizer for each parameter that it changes.
    families
        By how much longer than all that models of an architecture take.
    """

    overhead: float
    elementwise: float
    per_flop: float
    per_parameter: float
    families: Mapping[str, float] = field(default_factory=dict)

    def slower(self, times: float) -> Speed:
        """The rates of a device on which everything takes so many times as long."""
        rates = ("overhead", "elementwise", "per_flop", "per_parameter")
        return replace(self, **{name: getattr(self, name) * times for name in rates})

    def compute(self, shape: ModelShape, rows: float, tokens: float) -> float:
        """The seconds of a forward and a backward pass."""
        numbers = rows * tokens * shape.layers * shape.width
        seconds = (
            self.overhead * (shape.layers + BESIDE_LAYERS)
            + self.elementwise * numbers
            + self.per_flop * rows * shape.forward_flops(tokens) / FORWARD_SHARE
        )
        return seconds * self.families.get(shape.family, 1.0)

    def epoch(self, shape: ModelShape, rows: float, tokens: float, batch_size: int, tuning: str) -> float:
        """The seconds of training on so many rows.

        Parameters
        ----------
        shape
            The model's shape.
        rows
            The rows of the train split, or those of several epochs.
        tokens
            The tokens of a row.
        batch_size, tuning
            Of the recipe. Adapters need no gradients of the weights; a frozen base computes each row once, which
            is counted as the forward pass of one epoch.
        """
        batches = rows / batch_size
        computed = batches * self.compute(shape, batch_size, tokens)
        if tuning == "frozen":
            return computed * FORWARD_SHARE
        if tuning == "lora":
            return computed * 2 * FORWARD_SHARE
        return computed + batches * self.per_parameter * shape.trained_parameters(rows * tokens)

    def forward(self, shape: ModelShape, rows: float, tokens: float, batch_size: int) -> float:
        """The seconds of forward passes over so many rows, in batches as evaluation takes them."""
        size = min(rows, batch_size * _EVALUATION_BATCH)
        return rows / size * self.compute(shape, size, tokens) * FORWARD_SHARE if rows else 0.0


# Of one thread of a common processor: only ratios of models count where it is scaled by recorded runs.
TYPICAL = Speed(overhead=4e-4, elementwise=3e-8, per_flop=1.5e-11, per_parameter=2e-9)


@cache
def torch_version() -> str:
    """The version of torch, without loading it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def device_key(device: str, threads: int) -> str:
    """What a speed is remembered by: all GPUs of a machine count as equal, whatever the CPU's threads."""
    kind = device.partition(":")[0]
    return " ".join([platform.node(), kind, str(0 if kind == "cuda" else threads), torch_version()])


def remembered(key: str) -> Speed | None:
    """The speed on record; None where it was not measured."""
    entry = _read().get(key)
    try:
        return Speed(**entry) if isinstance(entry, dict) else None
    except TypeError:  # of another version
        return None


def remember(key: str, speed: Speed) -> None:
    """Puts a speed on record, with the families that were on record before."""
    before = remembered(key)
    if before is not None:
        speed = replace(speed, families={**before.families, **speed.families})
    write_entry(key, asdict(speed))


def read_entry(key: str) -> Any:
    """What is on record under a key; None for nothing."""
    return _read().get(key)


def write_entry(key: str, value: Any) -> None:
    """Puts something on record; a folder that cannot be written keeps nothing, and does no harm."""
    entries = {**_read(), key: value}
    with suppress(OSError):
        path = _file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file)
        Path(name).replace(path)


def _file() -> Path:
    return folder() / "speed.json"


def _read() -> dict[str, Any]:
    try:
        entries = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
