"""Pools the output of each layer of a network while its forward pass goes on, for the option `layers` of proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

from modelstore.errors import TrainingError
from modelstore.progress import notify

# Their module lists hold parts of layers, or layers whose output is (tokens, rows, d).
WITHOUT_LAYERS = ("xlm", "flaubert", "xlnet", "timm_wrapper")


class LayerPooling:
    """Catches what each layer gives, pooled at once, so that no layer's tokens outlive it.

    Parameters
    ----------
    model
        The model's name, for messages.
    base
        The network whose layers are caught: an encoder or decoder without its head.

    Raises
    ------
    TrainingError
        The network has no layers that can be told apart.
    """

    def __init__(self, model: str, base: nn.Module):
        self._model, self._layers = model, layers_in(base)
        if not self._layers:
            raise TrainingError(f"the layers of model {model} cannot be told apart: use layers = 'last'")
        self._pooled: list[torch.Tensor] = []
        self._hooks: list[Any] = []
        self._said = False

    def __enter__(self) -> Self:
        self._hooks = [layer.register_forward_hook(self._catch) for layer in self._layers]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def begin(self, pool: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Begins a batch, whose layers ``pool`` pools to one vector for each row, (rows, d)."""
        self._pool, self._pooled = pool, []

    def features(self, final: torch.Tensor) -> list[torch.Tensor]:
        """The pooled output of each layer for the batch, in order, each (rows, d) on the CPU.

        ``final`` is the network's last hidden state, which stands for the last layer: after the final norm.

        Raises
        ------
        ValueError
            No layer was called: the network does not use them as modules.
        """
        if not self._pooled:
            raise ValueError("its layers are not called one by one: use layers = 'last'")
        return [layer.cpu() for layer in [*self._pooled[:-1], self._pool(final)]]

    def mean(self, final: torch.Tensor) -> torch.Tensor:
        """The mean of `features`, (rows, d); where their widths differ, they stand side by side, which is said."""
        layers = self.features(final)
        if len({layer.shape[1] for layer in layers}) == 1:
            return torch.stack(layers).mean(dim=0)
        if not self._said:
            self._said = True
            notify(
                f"the layers of model {self._model} are of different widths: their features stand side by side in "
                "place of their mean"
            )
        return torch.cat(layers, dim=1)

    def _catch(self, _module: nn.Module, _arguments: Any, output: Any) -> None:
        self._pooled.append(self._pool(output if isinstance(output, torch.Tensor) else output[0]))


def layers_in(base: Any) -> list[nn.Module]:
    """The layers of a network in order: the members of the outermost module list with the most weights.

    A layer that is used several times, as in ALBERT, is there once.
    """
    if base.config.model_type in WITHOUT_LAYERS:
        return []
    lists = {name: module for name, module in base.named_modules() if isinstance(module, nn.ModuleList)}
    outermost = [
        module for name, module in lists.items() if not any(name.startswith(f"{other}.") for other in lists)
    ]
    return _flat(max(outermost, key=_weights)) if outermost else []


def _flat(modules: nn.ModuleList) -> list[nn.Module]:
    """The members of a module list, and those of lists among them."""
    found: list[nn.Module] = []
    for module in modules:
        found += _flat(module) if isinstance(module, nn.ModuleList) else [module]
    return found


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
