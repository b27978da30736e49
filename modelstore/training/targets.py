"""Translates between a task's labels and a network's outputs, for classification and regression."""

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
    """The training targets of a dataset, their loss, and the predictions that a network's outputs stand for.

    A regression trains on standardised numbers (mean 0, deviation 1), and predicts in the labels' own units.

    Parameters
    ----------
    data
        The dataset; with class names it is a classification, without them a regression.

    Attributes
    ----------
    train
        The targets of the train split: class ids, or standardised numbers in float32, (rows,).
    """

    def __init__(self, data: TaskData):
        self._classify = bool(data.labels)
        train = data.train.column("label").to_numpy()
        self._mean, self._deviation = 0.0, 1.0
        self._on_device: dict[torch.device, torch.Tensor] = {}
        if not self._classify:
            self._mean, self._deviation = float(train.mean()), float(train.std()) or 1.0
        self.train = (
            torch.tensor(train)
            if self._classify
            else torch.tensor((train - self._mean) / self._deviation, dtype=torch.float32)
        )

    def train_on(self, device: torch.device) -> torch.Tensor:
        """Returns the targets of the train split on a device; copies them on the first call."""
        if device not in self._on_device:
            self._on_device[device] = self.train.to(device)
        return self._on_device[device]

    def leave_device(self) -> None:
        """Frees the copies on devices."""
        self._on_device.clear()

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Computes the mean loss of a batch: cross entropy of classes, squared error of a regression.

        Parameters
        ----------
        logits
            The network's outputs, (rows, classes), or (rows, 1) for a regression.
        target
            The targets of these rows, (rows,).
        """
        if self._classify:
            return F.cross_entropy(logits, target)
        return F.mse_loss(logits[:, 0], target)

    def evaluation_loss(self, logits: NDArray, labels: NDArray) -> float:
        """Computes the mean `loss` of a split's rows.

        Parameters
        ----------
        logits
            As `loss` takes them.
        labels
            The labels of these rows, as the dataset has them, (rows,).
        """
        target = (
            torch.tensor(labels)
            if self._classify
            else torch.tensor((labels - self._mean) / self._deviation, dtype=torch.float32)
        )
        return float(self.loss(torch.from_numpy(logits), target))

    def predictions(self, logits: NDArray) -> NDArray:
        """Returns class ids, or numbers in the labels' own units, (rows,), from logits as `loss` takes them."""
        if self._classify:
            return logits.argmax(axis=1)
        return logits[:, 0].astype(np.float64) * self._deviation + self._mean

    def scores(self, logits: NDArray) -> NDArray:
        """Returns the probability of each class, (rows, classes); for a regression, what `predictions` does."""
        return softmax(logits, axis=1) if self._classify else self.predictions(logits)

    @contextmanager
    def in_units_of_labels(self, network: nn.Module) -> Iterator[None]:
        """Within the context, a regressor's last layer predicts in the labels' own units; a classifier is unchanged.

        If the layer has no bias to add the mean, the network's config gets ``target_mean`` and ``target_deviation``
        instead, and keeps them.
        """
        head = [] if self._classify else head_outputs(network)
        if head and all(p.ndim > 1 for p in head):
            network.config.target_mean, network.config.target_deviation = self._mean, self._deviation
            head = []
        originals = [p.detach().clone() for p in head]
        with torch.no_grad():
            for p in head:
                p.mul_(self._deviation)
                if p.ndim == 1:
                    p.add_(self._mean)
            try:
                yield
            finally:
                for p, value in zip(head, originals, strict=True):
                    p.copy_(value)
