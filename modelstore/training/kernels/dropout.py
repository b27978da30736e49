"""Dropout on a CPU, from a quarter of the random numbers.

torch draws 53 random bits for every element there, one after the other on one thread, which is a sixth of a small
network's training step. Here an element takes 16.
"""

from __future__ import annotations

import torch
from torch import nn

_BITS = 16
_IN_A_DRAW = 64 // _BITS


def dropout(values: torch.Tensor, probability: float) -> torch.Tensor:
    """``values``, each zero with a probability rounded to a multiple of 2⁻¹⁶, the others scaled to the same mean.

    It draws from torch's random state. Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks
    from Overfitting".
    """
    out = round(probability * 2**_BITS)
    if out == 0:
        return values
    if out == 2**_BITS:
        return values * 0.0
    draws = torch.empty(-(-values.numel() // _IN_A_DRAW), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[: values.numel()].view(values.shape)
    kept = (bits >= out - 2 ** (_BITS - 1)).to(values.dtype)
    return values * kept.mul_(2**_BITS / (2**_BITS - out))


class Dropout(nn.Dropout):
    """torch's dropout, by `dropout` on a CPU."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        return dropout(input, self.p)
