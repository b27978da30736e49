"""Low-rank adapters (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models"), by the package peft."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelstore.errors import TrainingError
from modelstore.libraries import quiet

if TYPE_CHECKING:
    import torch
    from torch import nn

RANK, ALPHA = 8, 16  # a change is of this rank, and counts ALPHA / RANK times


def check_installed() -> None:
    """Raises TrainingError where peft is not installed."""
    if find_spec("peft") is None:
        raise TrainingError(
            "tuning = 'lora' needs the package peft, which is not installed: pip install 'modelstore[lora]'"
        )


def add_adapters(model: str, network: nn.Module, base: nn.Module, new: Collection[str]) -> None:
    """Adapters beside each linear layer of the network's ``base`` that is not ``new``, or each convolution where
    there are no linear ones.

    Nothing but the adapters is left to learn. Raises TrainingError as `check_installed` does, and where ``model``
    has no such layer.
    """
    check_installed()
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    inside = {id(module) for module in base.modules()}
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if id(module) in inside and f"{name}.weight" not in new
    ]
    targets = [name for name, layer in layers if isinstance(layer, (nn.Linear, Conv1D))]
    targets = targets or [name for name, x in layers if isinstance(x, nn.Conv2d) and x.groups == 1]
    if not targets:
        raise TrainingError(
            f"model {model} has no linear layer or convolution that tuning = 'lora' could adapt: use 'full'"
        )
    with quiet():
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets), network)


def merged_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of the network as one without adapters has them, by that one's names: the changes are added."""
    from peft.tuners.lora import LoraLayer

    weights = {
        name.replace(".base_layer.", "."): value
        for name, value in network.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer):
            for adapter in layer.active_adapters:
                weights[f"{name}.weight"] = weights[f"{name}.weight"] + layer.get_delta_weight(adapter)
    return weights
