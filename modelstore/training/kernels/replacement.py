"""Replaces modules of a network by modules that compute the same functions faster in training."""

from __future__ import annotations

from torch import nn
from transformers.activations import NewGELUActivation

from modelstore.libraries import quiet
from modelstore.training.kernels import attention
from modelstore.training.kernels.dropout import Dropout


def use_kernels(network: nn.Module) -> None:
    """Makes a network use the kernels of this package; the names of its weights do not change.

    Parameters
    ----------
    network
        A model of transformers, changed in place.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
            elif isinstance(child, NewGELUActivation):  # eight operations, which torch has as one
                setattr(module, name, nn.GELU("tanh"))
    if network.config._attn_implementation == "sdpa":
        with quiet():  # a model that cannot change its attention warns
            network.set_attn_implementation(attention.NAME)
