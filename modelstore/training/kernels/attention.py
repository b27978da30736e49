"""Attention for training on a CPU, where torch's fused function is slow.

The fused function has no dropout on a CPU: with dropout, torch multiplies matrices in float32, whatever the precision
of the inputs, and searches for rows that see no token, which do not occur here. The fused function's backward pass is
no faster in bfloat16 than in float32. On short texts, plain matrix products are two to five times as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from modelstore.training.kernels.dropout import dropout as apply_dropout

NAME = "modelstore"  # of this implementation in transformers' registry
LONG = 512  # tokens: from this length on, the fused function is faster and needs far less memory
_FUSED_ONLY = ("position_bias", "softcap", "cache")


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
    """Computes attention by torch's fused function, or by matrix products where they are faster.

    Parameters
    ----------
    module
        The attention layer of transformers that calls this.
    query, key, value
        Of shape (batch, heads, tokens, size).
    attention_mask
        Booleans that are true where a token is seen, or numbers that are added to the scores; of a shape that
        broadcasts to (batch, heads, tokens, tokens).
    dropout
        The probability that an attention weight is dropped.
    scaling
        The factor of the scores; by default 1 / √size.
    is_causal
        Whether a token sees only itself and those before it, where there is no mask; by default as ``module`` says.
    **kwargs
        Passed to the fused function.

    Returns
    -------
    output : torch.Tensor
        Of shape (batch, tokens, heads, size).
    weights : None
        transformers expects a second value; the attention weights are not returned.

    Notes
    -----
    Source: Vaswani et al., "Attention Is All You Need", Eq. 1.
    """
    fused_only = any(kwargs.get(name) is not None for name in _FUSED_ONLY)
    if fused_only or not _products_are_faster(query, key, dropout):
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
    weights = apply_dropout(scores.softmax(-1), dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


def _products_are_faster(query: torch.Tensor, key: torch.Tensor, dropout: float) -> bool:
    """Whether matrix products are faster: on a CPU, with dropout or for the gradients of short texts in bfloat16."""
    if query.device.type != "cpu" or query.shape != key.shape:
        return False
    short = query.shape[-2] < LONG
    return dropout > 0.0 or (query.requires_grad and query.dtype == torch.bfloat16 and short)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
