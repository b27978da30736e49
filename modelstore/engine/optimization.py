"""The optimizer of a run, and its learning rate step by step."""

from __future__ import annotations

import torch
from torch import nn

WARM_UP = 0.06  # share of the steps
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0


class Optimization:
    """AdamW on a network for so many ``steps``; biases and norms are not decayed."""

    def __init__(self, network: nn.Module, learning_rate: float, steps: int):
        self._peak, self._steps = learning_rate, steps
        parameters = [p for p in network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=learning_rate, fused=True)

    def learning_rate(self, step: int) -> float:
        """Rises linearly to its peak in the warm-up, then falls linearly to 0 at the end of all steps."""
        warm_up = max(1, round(WARM_UP * self._steps))
        if step < warm_up:
            return self._peak * (step + 1) / warm_up
        return self._peak * (self._steps - step) / (self._steps - warm_up)

    def step(self, step: int) -> None:
        """Takes step number ``step``, from 0, by the gradients that there are, clipped; they are gone then."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
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
