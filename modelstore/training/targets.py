"""What a network is trained to give, and what its outputs stand for: class ids, or a regression's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn
from torch.nn import functional as F

from modelstore.data.task_data import TaskData
from modelstore.training.loading import head_outputs


class Targets:
    """A task's targets. A regression's are trained on standardised, and predicted in the labels' own units."""

    def __init__(self, data: TaskData):
        self._classify = bool(data.labels)
        train = data.train.column("label").to_numpy()
        self._mean, self._deviation = 0.0, 1.0
        self._moved: dict[torch.device, torch.Tensor] = {}
        if not self._classify:
            self._mean, self._deviation = float(train.mean()), float(train.std()) or 1.0
        # (rows,) of the train split: class ids, or standardised numbers in float32.
        self.train = (
            torch.tensor(train)
            if self._classify
            else torch.tensor((train - self._mean) / self._deviation, dtype=torch.float32)
        )

    def train_on(self, device: torch.device) -> torch.Tensor:
        """The train split's targets on a device, moved there once."""
        if device not in self._moved:
            self._moved[device] = self.train.to(device)
        return self._moved[device]

    def leave_device(self) -> None:
        """Frees the targets on devices."""
        self._moved.clear()

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The mean loss of rows of logits (rows, classes), or (rows, 1) for a regression."""
        if self._classify:
            return F.cross_entropy(logits, target)
        return F.mse_loss(logits[:, 0], target)

    def predictions(self, logits: NDArray) -> NDArray:
        """(rows,): the class ids, or the numbers in the labels' own units."""
        if self._classify:
            return logits.argmax(axis=1)
        return logits[:, 0].astype(np.float64) * self._deviation + self._mean

    def scores(self, logits: NDArray) -> NDArray:
        """(rows, classes): each class's probability; `predictions` for a regression."""
        return softmax(logits, axis=1) if self._classify else self.predictions(logits)

    @contextmanager
    def in_units_of_labels(self, network: nn.Module) -> Iterator[None]:
        """Within, a regressor's last layer undoes the standardisation of its targets.

        One that has no bias to hold their mean gets `target_mean` and `target_deviation` into its config instead.
        """
        head = [] if self._classify else head_outputs(network)
        if head and all(p.ndim > 1 for p in head):
            network.config.target_mean, network.config.target_deviation = self._mean, self._deviation
            head = []
        kept = [p.detach().clone() for p in head]
        with torch.no_grad():
            for p in head:
                p.mul_(self._deviation)
                if p.ndim == 1:
                    p.add_(self._mean)
            try:
                yield
            finally:
                for p, value in zip(head, kept, strict=True):
                    p.copy_(value)
