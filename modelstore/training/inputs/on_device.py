"""A split's rows on a GPU, from which batches are put together there: only row numbers travel.

Texts are padded to one of a few lengths, so that a captured training step (`cuda_graphs`) serves many batches.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.training.inputs.image import ImageInputs
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.text import TextInputs

# Tensor cores want multiples of 8; twice that keeps the number of lengths small.
STEP, LONG, LONG_STEP = 16, 128, 64  # tokens
SHARE = 0.2  # of a device's free memory, which the rows of one split may take


class DeviceInputs(Protocol):
    """The rows of one split on a device."""

    def length_of(self, rows: NDArray) -> int:
        """The tokens to which a batch of these rows is padded; 0 where all rows are of one size."""
        ...

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """The arguments of the model's forward for ``rows``, (n,) of int64 on the device; nothing waits for it."""
        ...


def on_device(inputs: Inputs, device: torch.device, longest: int) -> DeviceInputs | None:
    """The rows of a split on ``device``; None where they take more than `SHARE` of its free memory."""
    if device.type == "cuda" and inputs.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    if isinstance(inputs, TextInputs):
        return DeviceText(inputs, device, longest)
    if isinstance(inputs, ImageInputs):
        return DeviceImages(inputs, device)
    return None


def padded_length(tokens: int, longest: int) -> int:
    """``tokens`` rounded up to a multiple of `STEP` (of `LONG_STEP` above `LONG`), but no longer than ``longest``."""
    step = STEP if tokens <= LONG else LONG_STEP
    return max(tokens, min(-(-tokens // step) * step, longest))


class DeviceText:
    """Tokens on a device, padded as they are put into a batch; ``longest`` is what the model takes at most."""

    def __init__(self, inputs: TextInputs, device: torch.device, longest: int):
        self._host_lengths = inputs.lengths
        self._longest = longest
        self._with_mask, self._left = inputs.with_mask, inputs.left
        self._fields = {
            name: (torch.tensor(values, dtype=torch.int32, device=device), padding)
            for name, (values, padding) in inputs.fields.items()
        }
        self._lengths = torch.tensor(inputs.lengths, dtype=torch.int64, device=device)
        self._starts = self._lengths.cumsum(0) - self._lengths

    def length_of(self, rows: NDArray) -> int:
        """The longest row, rounded up where the model is told which tokens are padding."""
        tokens = int(self._host_lengths[rows].max())
        return padded_length(tokens, self._longest) if self._with_mask else tokens

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """input_ids and the model's other inputs, each (n, length) of int64."""
        lengths = self._lengths[rows][:, None]
        places = torch.arange(length, device=rows.device)
        if self._left:
            places = places - (length - lengths)
        is_token = (places >= 0) & (places < lengths)
        sources = (places + self._starts[rows][:, None]) * is_token
        batch = {
            name: values[sources].masked_fill(~is_token, padding).long()
            for name, (values, padding) in self._fields.items()
        }
        if self._with_mask:
            batch["attention_mask"] = is_token.long()
        return batch


class DeviceImages:
    """Pixels on a device."""

    def __init__(self, inputs: ImageInputs, device: torch.device):
        self._pixels = inputs.batch(np.arange(len(inputs)))["pixel_values"].to(device)

    def length_of(self, rows: NDArray) -> int:
        """0: all images are of one size."""
        return 0

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """pixel_values, (n, channels, height, width) of float32."""
        return {"pixel_values": self._pixels[rows]}
