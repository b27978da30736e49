"""Adds low-rank adapters to a network and merges them into its weights, by the package peft.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelstore.errors import TrainingError
from modelstore.libraries import quiet

if TYPE_CHECKING:
    import torch
    from torch import nn

RANK, ALPHA = 8, 16  # an adapter adds ALPHA / RANK times a matrix of this rank (r and α of the paper)


def check_installed() -> None:
    """Raises TrainingError if the package peft is not installed."""
    if find_spec("peft") is None:
        raise TrainingError(
            "tuning = 'lora' needs the package peft, which is not installed: pip install 'modelstore[lora]'"
        )


def add_adapters(model: str, network: nn.Module, base: nn.Module, new: Collection[str]) -> None:
    """Adds an adapter to each linear layer of a base model, or to each convolution if there are no linear layers.

    The adapters are drawn from torch's random state. All other weights of the network are frozen.

    Parameters
    ----------
    model
        The model's name, for messages.
    network
        The network that gets the adapters.
    base
        The base model within it.
    new
        The names of parameters that are not pretrained; their layers get no adapter.

    Raises
    ------
    TrainingError
        The package peft is not installed, or the base has no such layer.
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
            f"model {model} has no linear layer or convolution that tuning = 'lora' can adapt: use 'full'"
        )
    with quiet():
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets), network)


def merged_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Returns the network's weights with the adapters added in, under the names of a network without adapters.

    The network itself does not change.
    """
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
