"""Pools the hidden states of a text's tokens to one vector, in the ways of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def pool_tokens(hidden: torch.Tensor, mask: torch.Tensor, poolings: Sequence[str]) -> torch.Tensor:
    """Pools hidden states over the tokens of each row; several ways give their vectors one after another.

    Parameters
    ----------
    hidden
        The hidden states, (rows, tokens, d).
    mask
        1 for a token and 0 for padding, (rows, tokens).
    poolings
        Of ``cls`` (the first token), ``max``, ``mean``, ``mean_sqrt_len_tokens`` (the sum divided by the root of the
        number of tokens), ``weightedmean`` (weights 1, 2, … by position) and ``lasttoken``.

    Returns
    -------
    torch.Tensor
        (rows, d · ways) in float32.
    """
    hidden, mask = hidden.float(), mask.to(hidden.device, torch.float32)
    return torch.cat([_POOLINGS[name](hidden, mask) for name in poolings], dim=1)


def _weighted_mean(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    weights = weights[:, :, None]
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _sum_by_root(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).sqrt()


def _largest(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(mask[:, :, None] == 0, -torch.inf).amax(dim=1)


def _at(hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), positions]


_POOLINGS = {
    "cls": lambda hidden, mask: _at(hidden, mask.argmax(dim=1)),
    "max": _largest,
    "mean": _weighted_mean,
    "mean_sqrt_len_tokens": _sum_by_root,
    "weightedmean": lambda hidden, mask: _weighted_mean(hidden, mask * mask.cumsum(dim=1)),
    "lasttoken": lambda hidden, mask: _at(hidden, (mask * mask.cumsum(dim=1)).argmax(dim=1)),
}
