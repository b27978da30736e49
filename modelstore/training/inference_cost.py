"""Measures what it costs to use a model: passes forward of a row by itself and of a batch, in about a second.

Only the pass itself is timed, from inputs on the CPU to outputs there: not the tokenizer, nor the decoding of images.
It runs alone, on all threads of the process, as `predict` runs a model.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from modelstore.errors import TrainingError
from modelstore.libraries import first_line, quiet
from modelstore.records import InferenceCost
from modelstore.training.failures import FAILURES
from modelstore.training.hardware import computing, pick_device, precision
from modelstore.training.inputs.interface import Preprocessor
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.loading import load_for_training
from modelstore.training.memory import PeakMemory
from modelstore.training.speed_probe import median_seconds

LABELS = ("a", "b")
SINGLE_ROWS = 9  # passes of one row that are timed at most
BATCH = 32  # rows of the batch at most
BATCH_PASSES = 4  # of which three are timed
SECONDS = 0.4  # for the passes of single rows, and for those of the batch, if one of a row is not longer
IMAGE_SIDE = 224


def measure_model(model: str, path: Path, modality: str, max_length: int, device: str) -> InferenceCost:
    """Loads a model with a new classification head, and measures it.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    modality
        "text" or "image".
    max_length
        The tokens of each text, or as many of them as the model takes.
    device
        As `pick_device` takes it.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    TrainingError
        This machine does not have the device, or the model fails on its inputs.
    duckdb.InterruptException
        The statement was interrupted.
    """
    on = pick_device(device)
    with torch.random.fork_rng([]):  # of the head, which is drawn
        network, _ = load_for_training(model, path, modality, LABELS)
    network.eval()
    batches = _Batches(load_preprocessor(model, path, modality, network, max_length), max_length)
    try:
        with quiet():
            latency, rows_per_second, memory = _measure(network, batches, on)
    except FAILURES as error:
        raise TrainingError(
            f"what the model {model} costs to use cannot be measured: {first_line(error)}"
        ) from error
    length = max_length if batches.are_texts else None
    return InferenceCost(str(on), length, 1e3 * latency, rows_per_second, memory)


def _measure(network: nn.Module, batches: _Batches, device: torch.device) -> tuple[float, float, int]:
    """Seconds of one row, rows a second in a batch, and bytes of memory."""
    bfloat16 = precision(network, device) == torch.bfloat16
    with (
        computing(network, device),
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, bfloat16),
    ):
        one = _pass(network, batches.of(1), device)
        memory = _memory_of(network, one, device)
        first = median_seconds(one, device, 1, 1)
        latency = median_seconds(one, device, 0, max(1, min(SINGLE_ROWS, int(SECONDS / first))))
        rows = max(1, min(BATCH, int(SECONDS / BATCH_PASSES / latency)))
        if rows == 1:
            return latency, 1 / latency, memory
        batch = _pass(network, batches.of(rows), device)
        return latency, rows / median_seconds(batch, device, 1, BATCH_PASSES - 1), memory


def _memory_of(network: nn.Module, one: Callable[[], None], device: torch.device) -> int:
    """The bytes of the weights and of a pass; afterwards the network, which is on the CPU, is on the device."""
    if device.type == "cpu":
        return _weights(network) + _peak_outputs(one)
    with PeakMemory(device) as memory:
        network.to(device)
        one()
    return memory.bytes or 0


def _pass(network: nn.Module, batch: dict[str, torch.Tensor], device: torch.device) -> Callable[[], None]:
    """One pass forward, to where its first output is back on the CPU."""

    def run() -> None:
        output = network(**{name: values.to(device) for name, values in batch.items()})
        output[0].cpu()

    return run


class _Batches:
    """Inputs of so many equal rows."""

    def __init__(self, preprocessor: Preprocessor, max_length: int):
        self._preprocessor = preprocessor
        self._max_length = max_length

    @property
    def are_texts(self) -> bool:
        """Whether they are texts, and not images."""
        return self._preprocessor.max_length > 0

    def of(self, rows: int) -> dict[str, torch.Tensor]:
        """The arguments of the model's forward for so many rows."""
        inputs = self._preprocessor.encode(pa.table(self._columns(rows)), cached=False)
        return inputs.batch(np.arange(rows))

    def _columns(self, rows: int) -> dict[str, Any]:
        if not self.are_texts:
            return {"image": [_gray_image()] * rows}
        text = " ".join(["word"] * self._max_length)  # each is a token at least
        return {"text": [text] * rows}


def _gray_image() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (IMAGE_SIDE, IMAGE_SIDE), "gray").save(file, "PNG")
    return file.getvalue()


def _weights(network: nn.Module) -> int:
    """The bytes of the parameters and buffers, each counted once."""
    tensors = [*network.parameters(), *network.buffers()]
    return sum({one.data_ptr(): one.nbytes for one in tensors}.values())


def _peak_outputs(run: Callable[[], None]) -> int:
    """The most bytes that outputs of operations are in use at once within a call."""
    with _OutputsInUse() as counted:
        run()
    return counted.most


class _OutputsInUse(TorchDispatchMode):
    """Counts the bytes of new tensors in use; what an operation takes within itself is not seen.

    Attributes
    ----------
    most
        The most bytes in use at once so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = function(*args, **(kwargs or {}))
        given = {
            one.untyped_storage().data_ptr()
            for one in tree_leaves((args, kwargs))
            if isinstance(one, torch.Tensor)
        }
        for one in tree_leaves(outputs):
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage(), given)
        return outputs

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        address, size = storage.data_ptr(), storage.nbytes()
        if not size or address in given or address in self._known:  # a view, or written in place
            return
        self._known.add(address)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._free, address, size)

    def _free(self, address: int, size: int) -> None:
        self._known.discard(address)
        self._now -= size
