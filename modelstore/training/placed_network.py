"""A network on a device, with the rows of one dataset in the form that it takes."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.data.task_data import TaskData
from modelstore.training.frozen_features import FrozenFeatures
from modelstore.training.inputs.interface import Inputs, Preprocessor
from modelstore.training.inputs.on_device import DeviceInputs, on_device


class PlacedNetwork:
    """Computes a network's logits for rows of a dataset's splits.

    Parameters
    ----------
    network
        A classifier or regressor of transformers. It is moved by its owner, not here.
    preprocessor
        Makes the inputs of a split; each split's are made once.
    device, precision
        Where the network runs, and the type of its matrix products.
    frozen
        Whether no weight of its base changes: then each row passes through the base once.
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
        self.features = FrozenFeatures(network, self._to_device) if frozen else None

    def inputs(self, split: str) -> Inputs:
        """The rows of a split, in the host's memory."""
        if split not in self._inputs:
            self._inputs[split] = self._preprocessor.split(self._data, split)
        return self._inputs[split]

    def device_inputs(self, split: str) -> DeviceInputs | None:
        """The rows of a split on a GPU; None where batches come from the host one by one."""
        if self.device.type != "cuda" or self.features is not None:
            return None
        if split not in self._on_device:
            inputs = self.inputs(split)
            self._on_device[split] = on_device(inputs, self.device, self._preprocessor.max_length)
        return self._on_device[split]

    def logits(self, split: str, rows: NDArray) -> torch.Tensor:
        """The network's outputs for the rows (n,) of a split: (n, classes) of float32, (n, 1) for a regression."""
        with self.features.of(split, rows) if self.features else nullcontext():
            return self.forward(self._batch(split, rows))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The network's outputs for a batch on its device; shapes are those of `logits`."""
        bfloat16 = self._precision == torch.bfloat16
        # Weights that one captured step has converted to bfloat16 are not there for another.
        cached = self.device.type == "cpu"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=cached):
            return self.network(**batch).logits.float()

    def prepare_features(self, split: str) -> None:
        """Keeps what a frozen base gives for a split as it is computed from here on; sets the network to evaluate."""
        if self.features is not None:
            self.network.eval()
            self.features.prepare(split, self.inputs(split), lambda rows: self.logits(split, rows))

    def leave_device(self) -> None:
        """Frees the rows that are on the device."""
        self._on_device.clear()

    def _batch(self, split: str, rows: NDArray) -> dict[str, torch.Tensor]:
        inputs = self.device_inputs(split)
        if inputs is None:
            batch = self.inputs(split).batch(rows)
            return {name: self._to_device(values) for name, values in batch.items()}
        return inputs.batch(torch.from_numpy(rows).to(self.device), inputs.length_of(rows))

    def _to_device(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cuda":
            return values.pin_memory().to(self.device, non_blocking=True)
        return values
