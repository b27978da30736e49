"""Holds the weights of a run's best validation point while later points are worse (`keep = 'best'`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

Weights = Mapping[str, torch.Tensor]


def changing_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Returns the weights and statistics of a network that training changes, by name."""
    parameters = network.named_parameters(remove_duplicate=False)
    fixed = {name for name, parameter in parameters if not parameter.requires_grad}
    return {name: value for name, value in network.state_dict().items() if name not in fixed}


def copy_weights(weights: Weights) -> dict[str, torch.Tensor]:
    """Copies weights to the CPU's memory."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


@torch.no_grad()
def load_weights(weights: Weights, values: Weights) -> None:
    """Copies ``values`` into ``weights`` of the same names, which stay at their addresses in memory."""
    for name, value in weights.items():
        value.copy_(values[name])


class KeptWeights:
    """The weights of the best point, in the CPU's memory; nothing where the network has them itself.

    Attributes
    ----------
    values
        The weights by name; None where those of the network count.
    """

    def __init__(self) -> None:
        self.values: dict[str, torch.Tensor] | None = None

    def hold(self, weights: Weights) -> None:
        """Copies the weights, which count until `drop`."""
        self.values = copy_weights(weights)

    def drop(self) -> None:
        """Frees the copy: the network's own weights count again."""
        self.values = None

    @contextmanager
    def in_use(self, weights: Weights) -> Iterator[None]:
        """Within the context the network has the weights that count; after it, its own."""
        if self.values is None:
            yield
            return
        # All are copied before any is changed: two names may share one tensor.
        own = copy_weights(weights)
        load_weights(weights, self.values)
        try:
            yield
        finally:
            load_weights(weights, own)
