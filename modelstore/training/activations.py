"""The option `gradient_checkpointing`: activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from modelstore.progress import notify


def checkpoint_activations(model: str, network: Any) -> None:
    """Lets a network keep the inputs of its layers alone in training, and compute the rest again.

    No figure changes by it, so that a network that cannot do so trains without, which is said: one whose code does
    not support it, or one with batch norms, whose statistics would count each batch twice.

    Parameters
    ----------
    model
        The model's name, for the message.
    network
        A model of transformers.
    """
    if any(isinstance(module, _BatchNorm) for module in network.modules()):
        _say_without(model, "has batch norms, which would count each batch twice")
        return
    enable = getattr(network, "activation_checkpointing_enable", network.gradient_checkpointing_enable)
    try:
        # Checkpoints that re-enter autograd lose the gradients of layers whose inputs need none.
        enable({"use_reentrant": False})
    except ValueError:
        _say_without(model, "does not support it")
        return
    for module in network.modules():  # as transformers would in each step, with a warning
        config: Any = getattr(module, "config", None)
        if getattr(config, "use_cache", False):
            config.use_cache = False


def _say_without(model: str, why: str) -> None:
    notify(f"model {model} trains without gradient checkpointing, to the same figures: it {why}")
