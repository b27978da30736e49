"""The optimizer of a run: AdamW, gradient clipping, and a learning rate for each step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from modelstore.options import TrainingOptions

MAX_GRADIENT_NORM = 1.0

# The factor of the peak learning rate, by the share of the steps after the warm-up that is still to come. These are
# shorter than the use of transformers' get_scheduler: its LambdaLR would be one more state in every checkpoint, and
# its warm-up takes the first step at a rate of 0.
SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda left: left,
    "cosine": lambda left: (1 - math.cos(math.pi * left)) / 2,
    "constant": lambda left: 1.0,
}


class Optimizer:
    """Trains a network's trainable weights by AdamW with clipped gradients; biases and norms do not decay.

    Parameters
    ----------
    network
        The network; weights that do not require gradients stay as they are.
    shares
        The share of the learning rate at which each parameter is trained, by name.
    rate
        The learning rate at its peak.
    options
        Its schedule and warm-up, and the weight decay.
    steps
        The training steps of the whole run.
    device
        The device that steps are taken on.

    Notes
    -----
    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", Algorithm 2.
    """

    def __init__(
        self,
        network: nn.Module,
        shares: Mapping[str, float],
        rate: float,
        options: TrainingOptions,
        steps: int,
        device: torch.device,
    ):
        self.rate, self._options, self._steps = rate, options, steps
        groups: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                groups[shares[name], parameter.ndim >= 2].append(parameter)
        self.adamw = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "share": share,
                    "weight_decay": options.weight_decay if decayed else 0.0,
                }
                for (share, decayed), parameters in sorted(groups.items(), reverse=True)
            ],
            lr=rate,
            fused=True,
            capturable=device.type == "cuda",
        )
        self._device = device
        self._rates: list[torch.Tensor] = []  # the rates on a GPU, from which captured steps read them

    def learning_rate(self, step: int) -> float:
        """Returns the learning rate of a step: it rises linearly in the warm-up, then follows the schedule."""
        options = self._options
        warm_up = max(1, round(options.warm_up * self._steps))
        if step < warm_up:
            return self.rate * (step + 1) / warm_up
        left = (self._steps - step) / (self._steps - warm_up)
        return self.rate * SCHEDULES[options.schedule](left)

    def set_learning_rate(self, step: int) -> None:
        """Sets the learning rate of each parameter group for a step, counted from 0."""
        rate = self.learning_rate(step)
        if self._device.type == "cuda" and not self._rates:
            groups = self.adamw.param_groups
            self._rates = [torch.empty((), device=self._device) for _ in groups]
        for number, group in enumerate(self.adamw.param_groups):
            if self._rates:
                group["lr"] = self._rates[number].fill_(rate * group["share"])
            else:
                group["lr"] = rate * group["share"]

    def step(self) -> None:
        """Clips the gradients, takes a step of AdamW, and frees the gradients."""
        parameters = [p for group in self.adamw.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
        self.adamw.step()
        self.clear_gradients()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads the state of an optimizer of the same parameters, which may have been on another device."""
        self.adamw.load_state_dict(state)
        for group in self.adamw.param_groups:
            group["capturable"] = self._device.type == "cuda"

    def clear_gradients(self) -> None:
        """Frees all gradients."""
        self.adamw.zero_grad(set_to_none=True)

    def move(self, device: torch.device) -> None:
        """Moves AdamW's moments to a device; the network has to be moved there too."""
        for state in self.adamw.state.values():
            for name, value in state.items():
                state[name] = value.to(device)
