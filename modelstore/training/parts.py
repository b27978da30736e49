"""Tells the parameters of a classifier's base from those of its head."""

from __future__ import annotations

from typing import Any

from torch import nn


def is_in_base(network: nn.Module, name: str) -> bool:
    """Whether the parameter ``name`` of a classifier belongs to its base model."""
    if is_of_timm(network):
        return not any(name.startswith(f"{head}.") for head in _timm_heads(network))
    return name.startswith(network.base_model_prefix + ".")


def has_base(network: nn.Module) -> bool:
    """Whether a network's base model is a module of its own beside the head; timm's models hold their heads."""
    return network.base_model is not network and not is_of_timm(network)


def is_of_timm(network: nn.Module) -> bool:
    """Whether a network is a model of timm in transformers' wrapper."""
    return network.config.model_type == "timm_wrapper"


def timm_head(network: Any) -> nn.Module:
    """The module of a timm model that makes logits of pooled features."""
    head = network.timm_model.get_classifier()
    return head[0] if isinstance(head, tuple) else head  # distilled models have two


def _timm_heads(network: Any) -> list[str]:
    heads = network.timm_model.get_classifier()
    modules = heads if isinstance(heads, tuple) else (heads,)
    return [name for name, module in network.named_modules() if any(module is head for head in modules)]
