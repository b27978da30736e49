"""The loss that a run trains by, which the options `class_weights` and `label_smoothing` change."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from modelstore.options import RecipeOptions
from modelstore.training.targets import Targets


class TrainingLoss:
    """The mean loss of some rows of the train split.

    Losses are weighed by rows and not by the sum of class weights, so that the gradients of micro-batches add up to
    exactly those of their batch. Validation has the task's own loss, `Targets.loss`.

    Parameters
    ----------
    targets
        The targets of the train split, and the task's own loss.
    classes
        The number of classes; 0 for a regression, which takes neither option.
    options
        The recipe.
    """

    def __init__(self, targets: Targets, classes: int, options: RecipeOptions):
        self._targets, self._smoothing = targets, options.label_smoothing
        self._weights: torch.Tensor | None = None
        if options.class_weights == "balanced":
            self._weights = balanced_weights(targets.train, classes)

    def of(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Computes the mean loss of some rows, a scalar, from what `Targets.loss` takes."""
        if self._weights is None and not self._smoothing:
            return self._targets.loss(logits, target)
        weights = None if self._weights is None else self._weights_on(logits.device)
        total = F.cross_entropy(logits, target, weights, reduction="sum", label_smoothing=self._smoothing)
        return total / len(target)

    def _weights_on(self, device: torch.device) -> torch.Tensor:
        assert self._weights is not None
        if self._weights.device != device:  # once, in the first step, which is not captured
            self._weights = self._weights.to(device)
        return self._weights


def balanced_weights(target: torch.Tensor, classes: int) -> torch.Tensor:
    """Computes the weight of each class: rows / (classes × rows of the class), (classes,), as scikit-learn has it.

    Only classes that occur are counted; one that does not occur has weight 1.

    Parameters
    ----------
    target
        Class ids, (rows,).
    classes
        The number of classes.
    """
    counts = torch.bincount(target, minlength=classes)
    occurring = int((counts > 0).sum())
    return torch.where(counts > 0, len(target) / (occurring * counts.clamp(min=1)), 1.0).float()
