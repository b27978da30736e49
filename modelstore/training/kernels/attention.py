"""Attention while training on a CPU, where torch's fused function is slow.

It has no dropout there: where some is asked for, it multiplies matrices in float32, whatever the precision of its
inputs, and looks for rows that see no token, which whole texts do not have. And its backward pass gains nothing from
bfloat16, so that of short rows the plain products are two to five times as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from modelstore.training.kernels.dropout import dropout as drop_out

NAME = "modelstore"  # among transformers' implementations of attention
LONG = 512  # tokens: from there on the fused function is the faster one, and needs far less memory
_OTHER_KINDS = ("position_bias", "softcap", "cache")


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention by torch's fused function, or by matrix products where that is faster.

    ``query``, ``key`` and ``value`` are (batch, heads, tokens, size), what it gives is (batch, tokens, heads, size).
    A mask is true where a token is seen, or is added to the scores. Source: Vaswani et al., "Attention Is All You
    Need", Eq. 1.
    """
    if not _by_products(query, key, dropout) or any(kwargs.get(name) is not None for name in _OTHER_KINDS):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **kwargs
        )
    scores = (query * (query.shape[-1] ** -0.5 if scaling is None else scaling)) @ key.transpose(-1, -2)
    if attention_mask is None and (getattr(module, "is_causal", True) if is_causal is None else is_causal):
        attention_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    weights = drop_out(scores.softmax(-1), dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


def _by_products(query: torch.Tensor, key: torch.Tensor, dropout: float) -> bool:
    if query.device.type != "cpu" or query.shape != key.shape:
        return False
    short = query.shape[-2] < LONG
    return dropout > 0.0 or (query.requires_grad and query.dtype == torch.bfloat16 and short)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
