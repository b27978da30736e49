"""Translates between a task's labels and a network's outputs: the loss, and the predictions that they stand for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch import nn
from torch.nn import functional as F

from modelstore.data.task_data import TaskData
from modelstore.training.loading import head_outputs
from modelstore.training.metrics import THRESHOLD
from modelstore.training.scoring import score_split


def class_probabilities(logits: NDArray) -> NDArray:
    """The probability of each class, (rows, classes): a softmax over the outputs."""
    return softmax(logits, axis=1)


def label_probabilities(logits: NDArray) -> NDArray:
    """The probability of each label, (rows, labels): a sigmoid of each output."""
    # In float32 large outputs would all be 1, and their order lost.
    return expit(logits.astype(np.float64))


class Targets(ABC):
    """The training targets of a dataset, their loss, and the predictions that a network's outputs stand for.

    Parameters
    ----------
    data
        The dataset.

    Attributes
    ----------
    train
        The targets of the train split, as `loss` takes them, on the CPU: (rows,) or (rows, labels).
    """

    def __init__(self, data: TaskData):
        self.data = data
        self._on_device: dict[torch.device, torch.Tensor] = {}
        self.train = self.tensor(data.targets("train"))

    def train_on(self, device: torch.device) -> torch.Tensor:
        """Returns the targets of the train split on a device; copies them on the first call."""
        if device not in self._on_device:
            self._on_device[device] = self.train.to(device)
        return self._on_device[device]

    def aligned(self, logits: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns outputs and targets of some rows of the train split as `loss` takes them.

        Parameters
        ----------
        logits
            The network's outputs for these rows.
        rows
            The row numbers, (rows,), on the same device.
        """
        return logits, self.train_on(rows.device)[rows]

    def copy_to(self, device: torch.device) -> None:
        """Copies the targets of the train split to a device, if they are not there: captured steps cannot."""
        self.train_on(device)

    def weight(self, rows: NDArray) -> int:
        """Returns how many targets the mean loss of some rows of the train split is over."""
        return len(rows)

    def weight_on_device(self, rows: torch.Tensor) -> torch.Tensor | int:
        """Returns `weight` of rows whose numbers are on a device, without waiting for it."""
        return len(rows)

    def count(self, split: str) -> int:
        """Returns how many targets a split has."""
        return self.data.split(split).num_rows

    def outputs(self, split: str, rows: NDArray, logits: torch.Tensor) -> torch.Tensor:
        """Returns those of a network's outputs for some rows of a split that predict a label: (targets, classes)."""
        return logits

    def places(self, split: str, rows: NDArray) -> NDArray:
        """Returns the place of each of `outputs` among the targets of a split."""
        return rows

    def leave_device(self) -> None:
        """Frees the copies on devices."""
        self._on_device.clear()

    @abstractmethod
    def tensor(self, labels: NDArray) -> torch.Tensor:
        """Returns the targets for labels as `TaskData.targets` has them."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Computes the mean loss of a batch.

        Parameters
        ----------
        logits
            The network's outputs, (rows, classes), (rows, labels), or (rows, 1) for a regression.
        target
            The targets of these rows.
        """

    def evaluation_loss(self, logits: NDArray, labels: NDArray) -> float:
        """Computes the mean `loss` of a split's rows, whose labels are as `TaskData.targets` has them."""
        return float(self.loss(torch.from_numpy(logits), self.tensor(labels)))

    @abstractmethod
    def predictions(self, logits: NDArray) -> NDArray:
        """Returns class ids or numbers in the labels' own units, (rows,), or booleans for labels, (rows, labels)."""

    @abstractmethod
    def scores(self, logits: NDArray) -> NDArray:
        """Returns the probability of each class or label, (rows, n); for a regression, what `predictions` does."""

    def score(self, split: str, logits: NDArray) -> float:
        """Scores the outputs for a split by the dataset's metric; higher is better."""
        return score_split(self.data, split, self.predictions(logits))

    @contextmanager
    def in_units_of_labels(self, network: nn.Module) -> Iterator[None]:
        """Within the context, a regressor's last layer predicts in the labels' own units; a classifier is unchanged.

        If the layer has no bias to add the mean, the network's config gets ``target_mean`` and ``target_deviation``
        instead, and keeps them.
        """
        yield


class ClassTargets(Targets):
    """One class a row: a softmax over the outputs, and cross entropy."""

    def tensor(self, labels: NDArray) -> torch.Tensor:
        return torch.tensor(labels)

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, target)

    def predictions(self, logits: NDArray) -> NDArray:
        return logits.argmax(axis=1)

    def scores(self, logits: NDArray) -> NDArray:
        return class_probabilities(logits)


class LabelTargets(Targets):
    """Any number of labels a row: a sigmoid of each output, and binary cross entropy."""

    def tensor(self, labels: NDArray) -> torch.Tensor:
        return torch.tensor(labels)  # a byte a cell; a batch becomes numbers in the loss

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype))

    def predictions(self, logits: NDArray) -> NDArray:
        return self.scores(logits) >= THRESHOLD

    def scores(self, logits: NDArray) -> NDArray:
        return label_probabilities(logits)

    def score(self, split: str, logits: NDArray) -> float:
        return score_split(self.data, split, self.scores(logits))


class NumberTargets(Targets):
    """A regression: trains on standardised numbers (mean 0, deviation 1), and predicts in the labels' own units."""

    def __init__(self, data: TaskData):
        train = data.targets("train")
        self._mean, self._deviation = float(train.mean()), float(train.std()) or 1.0
        super().__init__(data)

    def tensor(self, labels: NDArray) -> torch.Tensor:
        return torch.tensor((labels - self._mean) / self._deviation, dtype=torch.float32)

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(logits[:, 0], target)

    def predictions(self, logits: NDArray) -> NDArray:
        return logits[:, 0].astype(np.float64) * self._deviation + self._mean

    def scores(self, logits: NDArray) -> NDArray:
        return self.predictions(logits)

    @contextmanager
    def in_units_of_labels(self, network: nn.Module) -> Iterator[None]:
        head = head_outputs(network)
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
