"""Targets of token classification: the tag of each word, at the word's first piece."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from modelstore.data.task_data import TaskData
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.on_device import DeviceText
from modelstore.training.inputs.tokens import IGNORED, WordInputs
from modelstore.training.targets import ClassTargets, class_probabilities


def outputs_of_words(inputs: WordInputs, rows: NDArray, logits: torch.Tensor) -> torch.Tensor:
    """A network's outputs for a batch, (rows, tokens, tags), at the first pieces of its words, (words, tags)."""
    _, sentences, positions = inputs.first_pieces(rows)
    if inputs.left:  # the batch may have more padding than its longest row needs
        positions = positions + logits.shape[1] - int(inputs.lengths[rows].max())
    where = [torch.from_numpy(one).to(logits.device) for one in (sentences, positions)]
    return logits[where[0], where[1]]


def tag_probabilities(logits: NDArray) -> NDArray:
    """The probability of each tag, (words, tags); 0 for a word that was not read, whose logits are NaN."""
    return np.nan_to_num(class_probabilities(logits))


class TokenTargets(ClassTargets):
    """The tags of a dataset's words, their loss, and the predictions that a network's outputs stand for.

    What a split's predictions and labels have one of for each row elsewhere, they have one of for each word here:
    sentence by sentence.

    Parameters
    ----------
    data
        The dataset.
    inputs
        Returns the inputs of a split, which are `WordInputs`.
    """

    def __init__(self, data: TaskData, inputs: Callable[[str], Inputs]):
        super().__init__(data)
        self._inputs = inputs
        train = self._words("train")
        self._labelled = train.with_targets(self.train.numpy())
        self._counts = np.bincount(_rows_of_tokens(train)[train.places >= 0], minlength=len(train))
        self._targets_on: dict[torch.device, tuple[DeviceText, torch.Tensor]] = {}

    def aligned(self, logits: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns outputs and targets of the tokens of some sentences of the train split.

        Parameters
        ----------
        logits
            The network's outputs, (rows, tokens, tags).
        rows
            The numbers of the sentences, (rows,), on the same device.

        Returns
        -------
        tuple
            The outputs, (rows · tokens, tags), and the tag ids, (rows · tokens,): `IGNORED` but for first pieces.
        """
        targets, _ = self._on(rows.device)
        return logits.flatten(0, 1), targets.batch(rows, logits.shape[1])["labels"].flatten()

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Computes the mean cross entropy over the targets that are not `IGNORED`; 0 where there are none."""
        total = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum")
        return total / (target != IGNORED).sum().clamp(min=1)

    def copy_to(self, device: torch.device) -> None:
        """Copies the targets of the train split to a device, if they are not there: captured steps cannot."""
        self._on(device)

    def weight(self, rows: NDArray) -> int:
        """Returns the words that the mean loss of some sentences is over."""
        return int(self._counts[rows].sum())

    def weight_on_device(self, rows: torch.Tensor) -> torch.Tensor:
        """Returns `weight` of sentences whose numbers are on a device, without waiting for it."""
        return self._on(rows.device)[1][rows].sum()

    def count(self, split: str) -> int:
        """Returns how many words a split has."""
        return int(self._words(split).words.sum())

    def outputs(self, split: str, rows: NDArray, logits: torch.Tensor) -> torch.Tensor:
        """Returns the logits of the words of a batch, at their first pieces: (words with a piece, tags)."""
        return outputs_of_words(self._words(split), rows, logits)

    def places(self, split: str, rows: NDArray) -> NDArray:
        """Returns the place of each of `outputs` among the words of a split."""
        return self._words(split).first_pieces(rows)[0]

    def evaluation_loss(self, logits: NDArray, labels: NDArray) -> float:
        """Computes the mean cross entropy over those words of a split that the network has read, in any form."""
        read = ~np.isnan(logits[:, 0])
        return super().evaluation_loss(logits[read], labels[read]) if read.any() else 0.0

    def predictions(self, logits: NDArray) -> NDArray:
        """Returns the id of each word's tag, (words,); -1 for a word that the network has not read."""
        return np.where(np.isnan(logits[:, 0]), -1, np.nan_to_num(logits).argmax(axis=1))

    def scores(self, logits: NDArray) -> NDArray:
        """Returns the probability of each tag, (words, tags); 0 for a word that the network has not read."""
        return tag_probabilities(logits)

    def leave_device(self) -> None:
        """Frees the copies on devices."""
        super().leave_device()
        self._targets_on.clear()

    def _words(self, split: str) -> WordInputs:
        inputs = self._inputs(split)
        assert isinstance(inputs, WordInputs)
        return inputs

    def _on(self, device: torch.device) -> tuple[DeviceText, torch.Tensor]:
        """The targets of the train split, and the words of each sentence, on a device; copied on the first call."""
        if device not in self._targets_on:
            counts = torch.from_numpy(self._counts).to(device)
            self._targets_on[device] = DeviceText(self._labelled, device, longest=0), counts
        return self._targets_on[device]


def _rows_of_tokens(inputs: WordInputs) -> NDArray:
    return np.repeat(np.arange(len(inputs)), inputs.lengths)
