"""The optimizer of a run, and its learning rate step by step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping

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

    def __init__(self, network: nn.Module, shares: Mapping[str, float], options: TrainingOptions, steps: int):
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
        )

    def learning_rate(self, step: int) -> float:
        """Rises linearly to its peak in the warm-up, then goes by the schedule to the end of all steps."""
        options = self._options
        warm_up = max(1, round(options.warm_up * self._steps))
        if step < warm_up:
            return options.learning_rate * (step + 1) / warm_up
        left = (self._steps - step) / (self._steps - warm_up)
        return options.learning_rate * SCHEDULES[options.schedule](left)

    def step(self, step: int) -> None:
        """Takes step number ``step``, from 0, by the gradients that there are, clipped; they are gone then."""
        rate = self.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
        self.optimizer.step()
        self.forget_gradients()

    def forget_gradients(self) -> None:
        """Frees the gradients that there are."""
        self.optimizer.zero_grad(set_to_none=True)

    def move(self, device: torch.device) -> None:
        """Moves the moments, as the network is moved."""
        for state in self.optimizer.state.values():
            for name, value in state.items():
                state[name] = value.to(device)
