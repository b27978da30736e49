"""A network on a device, together with the inputs that it needs for the rows of one dataset."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.data.task_data import TaskData
from modelstore.training.frozen_features import FrozenFeatures
from modelstore.training.inputs.interface import Inputs, Preprocessor
from modelstore.training.inputs.on_device import DeviceInputs, copy_to_device


class PlacedNetwork:
    """Computes a network's logits for rows of a dataset's splits.

    Parameters
    ----------
    network
        A classifier or regressor of transformers. The run that owns it moves it between devices.
    preprocessor
        Makes the inputs of a split, once for each split.
    data
        The dataset.
    device, precision
        Where the network runs, and the type of its matrix products.
    frozen
        Whether no weight of the base is trained: each row then passes through the base only once.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessor: Preprocessor,
        data: TaskData,
        device: torch.device,
        precision: torch.dtype,
        frozen: bool,
    ):
        self.network, self.device = network, device
        self._preprocessor, self._data, self._precision = preprocessor, data, precision
        self._inputs: dict[str, Inputs] = {}
        self._on_device: dict[str, DeviceInputs | None] = {}
        self.features = FrozenFeatures(network, partial(_to_device, device=device)) if frozen else None

    def inputs(self, split: str) -> Inputs:
        """Returns the inputs of a split, in the host's memory; makes them on the first call."""
        if split not in self._inputs:
            self._inputs[split] = self._preprocessor.split(self._data, split)
        return self._inputs[split]

    def device_inputs(self, split: str) -> DeviceInputs | None:
        """Returns the inputs of a split on a GPU; None where batches come from the host one by one."""
        if self.device.type != "cuda" or self.features is not None:
            return None
        if split not in self._on_device:
            inputs = self.inputs(split)
            self._on_device[split] = copy_to_device(inputs, self.device, self._preprocessor.max_length)
        return self._on_device[split]

    def logits(self, split: str, rows: NDArray) -> torch.Tensor:
        """Computes the outputs for rows (n,) of a split: (n, classes or labels), or (n, 1) numbers, in float32."""
        with self.features.cached(split, rows) if self.features else nullcontext():
            return self.forward(self._batch(split, rows))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Computes the network's outputs for a batch on its device; their shape is that of `logits`."""
        bfloat16 = self._precision == torch.bfloat16
        # autocast caches weights in bfloat16; a copy made in one captured step is not valid in another.
        cached = self.device.type == "cpu"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=cached):
            return self.network(**batch).logits.float()

    def prepare_features(self, split: str) -> None:
        """Prepares to store a frozen base's output for a split, and sets the network to evaluation mode.

        Does nothing if the base is trained.
        """
        if self.features is not None:
            self.network.eval()
            self.features.prepare(split, self.inputs(split), lambda rows: self.logits(split, rows))

    def leave_device(self) -> None:
        """Frees the inputs that are on the device."""
        self._on_device.clear()

    def _batch(self, split: str, rows: NDArray) -> dict[str, torch.Tensor]:
        """Returns the arguments of the network's forward for rows (n,) of a split, on the device."""
        inputs = self.device_inputs(split)
        if inputs is None:
            batch = self.inputs(split).batch(rows)
            return {name: _to_device(values, self.device) for name, values in batch.items()}
        places = torch.from_numpy(rows).to(self.device, non_blocking=True)
        return inputs.batch(places, inputs.length_of(rows))


def _to_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copies a tensor to a device without waiting for the copy."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values
