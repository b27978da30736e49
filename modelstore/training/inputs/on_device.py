"""Keeps the inputs of a split on a GPU and makes batches there, so that only row numbers are copied to it.

Texts are padded to one of a few lengths, so that one captured training step (`cuda_graphs`) serves many batches.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.training.inputs.image import ImageInputs
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.text import TextInputs

# Tensor cores work best on multiples of 8; multiples of 16 keep the number of lengths small.
STEP, LONG, LONG_STEP = 16, 128, 64  # tokens
CHUNK = 256  # images copied at once
SHARE = 0.2  # the share of a device's free memory that one split may take


class DeviceInputs(Protocol):
    """The inputs of one split on a device."""

    def length_of(self, rows: NDArray) -> int:
        """Returns the tokens to which a batch of these rows is padded; 0 where all rows have the same size."""
        ...

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """Returns the arguments of the model's forward, without waiting for the device.

        Parameters
        ----------
        rows
            The row numbers, (n,) int64, on the device.
        length
            What `length_of` returns for these rows.
        """
        ...


def copy_to_device(inputs: Inputs, device: torch.device, longest: int) -> DeviceInputs | None:
    """Copies the inputs of a split to a device.

    Parameters
    ----------
    inputs
        The inputs of the split.
    device
        Where to copy them.
    longest
        The most tokens that the model takes; 0 for images.

    Returns
    -------
    DeviceInputs or None
        None where they would take more than `SHARE` of the device's free memory.
    """
    if device.type == "cuda" and inputs.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    if isinstance(inputs, TextInputs):
        return DeviceText(inputs, device, longest)
    if isinstance(inputs, ImageInputs):
        return DeviceImages(inputs, device)
    return None


def padded_length(tokens: int, longest: int) -> int:
    """Rounds a number of tokens up to a multiple of `STEP` (`LONG_STEP` above `LONG`), but to at most ``longest``.

    Examples
    --------
    >>> padded_length(20, longest=512), padded_length(130, longest=512), padded_length(20, longest=24)
    (32, 192, 24)
    """
    step = STEP if tokens <= LONG else LONG_STEP
    return max(tokens, min(-(-tokens // step) * step, longest))


class DeviceText:
    """The tokens of a split on a device, padded when a batch is made.

    Parameters
    ----------
    inputs
        The tokens on the host.
    device
        Where to copy them.
    longest
        The most tokens that the model takes.
    """

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
        """Returns the tokens of the longest row, rounded up where the model takes an attention mask."""
        tokens = int(self._host_lengths[rows].max())
        return padded_length(tokens, self._longest) if self._with_mask else tokens

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """Returns ``input_ids`` and the model's other inputs, each (n, length) int64."""
        lengths = self._lengths[rows][:, None]
        positions = torch.arange(length, device=rows.device)
        if self._left:
            positions = positions - (length - lengths)
        is_token = (positions >= 0) & (positions < lengths)
        sources = (positions + self._starts[rows][:, None]) * is_token
        batch = {
            name: values[sources].masked_fill(~is_token, padding).long()
            for name, (values, padding) in self._fields.items()
        }
        if self._with_mask:
            batch["attention_mask"] = is_token.long()
        return batch


class DeviceImages:
    """The pixels of a split on a device."""

    def __init__(self, inputs: ImageInputs, device: torch.device):
        first = inputs.batch(np.arange(1))["pixel_values"]
        self._pixels = torch.empty(len(inputs), *first.shape[1:], dtype=first.dtype, device=device)
        for start in range(0, len(inputs), CHUNK):  # a copy of all in the host's memory may not fit
            rows = np.arange(start, min(start + CHUNK, len(inputs)))
            self._pixels[start : start + len(rows)] = inputs.batch(rows)["pixel_values"].to(device)

    def length_of(self, rows: NDArray) -> int:
        """Returns 0: all images have the same size."""
        return 0

    def batch(self, rows: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """Returns ``pixel_values``, (n, channels, height, width) float32."""
        return {"pixel_values": self._pixels[rows]}
