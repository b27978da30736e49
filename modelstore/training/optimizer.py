"""The optimizer of a run, and its learning rate step by step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from modelstore.options import TrainingOptions

MAX_GRADIENT_NORM = 1.0

# What share of its peak the learning rate has, by the share of the steps after the warm-up that is left.
SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda left: left,
    "cosine": lambda left: (1 - math.cos(math.pi * left)) / 2,
    "constant": lambda left: 1.0,
}


class Optimization:
    """AdamW on what of a network learns, for so many ``steps``; biases and norms are not decayed.

    ``shares`` has, by the parameter's name, the share of the learning rate that it learns at.
    """

    def __init__(
        self,
        network: nn.Module,
        shares: Mapping[str, float],
        options: TrainingOptions,
        steps: int,
        device: torch.device,
    ):
        self._options, self._steps = options, steps
        groups: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                groups[shares[name], parameter.ndim >= 2].append(parameter)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "share": share,
                    "weight_decay": options.weight_decay if decayed else 0.0,
                }
                for (share, decayed), parameters in sorted(groups.items(), reverse=True)
            ],
            lr=options.learning_rate,
            fused=True,
            capturable=device.type == "cuda",
        )
        self._device = device
        self._rates: list[torch.Tensor] = []  # of a GPU, where a captured step reads them

    def learning_rate(self, step: int) -> float:
        """Rises linearly to its peak in the warm-up, then goes by the schedule to the end of all steps."""
        options = self._options
        warm_up = max(1, round(options.warm_up * self._steps))
        if step < warm_up:
            return options.learning_rate * (step + 1) / warm_up
        left = (self._steps - step) / (self._steps - warm_up)
        return options.learning_rate * SCHEDULES[options.schedule](left)

    def set_learning_rate(self, step: int) -> None:
        """Sets the learning rate of step number ``step``, from 0."""
        rate = self.learning_rate(step)
        if self._device.type == "cuda" and not self._rates:
            groups = self.optimizer.param_groups
            self._rates = [torch.empty((), device=self._device) for _ in groups]
        for number, group in enumerate(self.optimizer.param_groups):
            if self._rates:
                group["lr"] = self._rates[number].fill_(rate * group["share"])
            else:
                group["lr"] = rate * group["share"]

    def step(self) -> None:
        """Takes a step by the gradients that there are, clipped; they are gone then."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
        self.optimizer.step()
        self.forget_gradients()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the moments of another optimizer of the same parameters, on whichever device it was."""
        self.optimizer.load_state_dict(state)
        for group in self.optimizer.param_groups:
            group["capturable"] = self._device.type == "cuda"

    def forget_gradients(self) -> None:
        """Frees the gradients that there are."""
        self.optimizer.zero_grad(set_to_none=True)

    def move(self, device: torch.device) -> None:
        """Moves the moments, as the network is moved."""
        for state in self.optimizer.state.values():
            for name, value in state.items():
                state[name] = value.to(device)
