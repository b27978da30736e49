"""Computes Task2Vec: the Fisher information of a frozen encoder's units for a task's labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers.pytorch_utils import Conv1D

from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.interruption import check
from modelstore.libraries import first_line
from modelstore.tasks import LABELS, NUMBER, TAGS
from modelstore.training.failures import FAILURES
from modelstore.training.features import Extractor, Features, draw
from modelstore.training.hardware import computing, pick_device
from modelstore.training.task_targets import labels_of

FISHER_ROWS = 128  # with so many, a task is more like its own other rows than like any other task
_PENALTY = 0.01  # of the squared weights of the head, half of it; features have variance 1
_STEPS = 100
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fisher_information(
    model: str,
    path: Path,
    data: TaskData,
    features: Features,
    seed: int = 0,
    max_length: int = 128,
    device: str = "auto",
    on_batch: Callable[[], None] | None = None,
) -> NDArray[np.float32]:
    """Computes the diagonal of an encoder's Fisher information matrix for a task, averaged over each unit's weights.

    F = E_x E_y~p(y|x) (∂ log p(y|x) / ∂w)², where p is the encoder with a linear head that was fitted to its
    features: of classes or tags a softmax, of any number of labels a sigmoid each, of numbers a normal distribution
    around the predicted one with the deviation of all of them.

    Parameters
    ----------
    model, path
        The encoder's name, for messages, and its directory.
    data
        The dataset.
    features
        What `extract` computed of it with this encoder, to which the head is fitted.
    seed
        Draws `FISHER_ROWS` rows of the train split, and the signs of the estimate.
    max_length, device, on_batch
        As for `extract`; ``on_batch`` is called after each row.

    Returns
    -------
    NDArray
        (units,): the rows of the matrices of linear layers and convolutions, in the order of the network's modules;
        0 for a unit that the output does not depend on.

    Raises
    ------
    ModelError, DatasetError, TrainingError
        As for `extract`.

    Notes
    -----
    Achille et al., "Task2Vec: Task Embedding for Meta-Learning", ICCV 2019: the Fisher information of a probe network
    with a head of the task, without their variational estimate. Labels are not drawn, as most information is in
    the rare ones. With J the derivative of the outputs and A = Cov_y (∂ log p / ∂ outputs), F = diag(Jᵀ A J): one
    backward pass gives (vᵀ J)² for a random v whose second moments are A, as in Hutchinson's estimate of a trace.
    """
    target_device = pick_device(device)
    of_words = data.target is TAGS
    extractor = Extractor(model, path, data.modality, False, max_length, seed, words=of_words)
    rows = draw(data.strata("train"), FISHER_ROWS, seed)
    inputs = extractor.preprocessor.split(data, "train", rows)
    head = _Head(data, features).to(target_device)
    base = extractor.base
    weights = _weights_of_units(base)
    totals = [torch.zeros(_units(weight, flipped), device=target_device) for weight, flipped in weights]
    random = torch.Generator().manual_seed(seed)
    try:
        base.to(target_device).requires_grad_(False)
        for weight, _ in weights:
            weight.requires_grad_(True)
        with computing(base, target_device):
            for place in range(len(rows)):
                check()
                row = np.array([place])
                batch = {name: values.to(target_device) for name, values in inputs.batch(row).items()}
                outputs = head(extractor.pool(base(**batch), inputs, row))
                direction = _direction(data, outputs.detach(), random)
                gradients = _gradients((direction * outputs).sum(), weights)
                for total, (_, flipped), gradient in zip(totals, weights, gradients, strict=True):
                    if gradient is not None:
                        total += _by_unit(gradient.square(), flipped)
                if on_batch is not None:
                    on_batch()
    except FAILURES as error:
        raise TrainingError(
            f"the Fisher information of model {model} cannot be computed ({first_line(error)})"
        ) from error
    found: NDArray[np.float32] = (torch.cat(totals) / len(rows)).cpu().numpy()
    if not np.isfinite(found).all():
        raise TrainingError(f"the Fisher information of model {model} on {data.name} is not finite")
    return found


class _Head(nn.Module):
    """A linear layer over standardised features, fitted by the task's own loss with a penalty on its weights."""

    def __init__(self, data: TaskData, features: Features):
        super().__init__()
        known = torch.from_numpy(np.ascontiguousarray(features.features, dtype=np.float32))
        self.register_buffer("mean", known.mean(dim=0))
        spread = known.std(dim=0, correction=0)
        self.register_buffer("scale", torch.where(spread > 1e-6, 1 / spread.clamp(min=1e-6), 0.0))
        self.linear = nn.Linear(known.shape[1], max(1, len(data.labels)))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        targets = labels_of(data)
        labels = targets.tensor(features.labels)
        optimizer = torch.optim.LBFGS(
            self.linear.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe"
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            found = targets.loss(self(known), labels) + _PENALTY / 2 * self.linear.weight.square().sum()
            found.backward()
            return found

        optimizer.step(loss)
        self.requires_grad_(False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.linear((features - self.mean) * self.scale)


def _direction(data: TaskData, outputs: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """A random vector for each output, (targets, outputs): its second moments are A, given the outputs.

    For a softmax A = diag(p) − p pᵀ = B Bᵀ with B = diag(√p) − p √pᵀ; for sigmoids A = diag(p (1 − p)); for a normal
    distribution of variance 1, A = 1.
    """
    signs = (2 * torch.randint(2, outputs.shape, generator=random) - 1).to(outputs)
    if data.target is NUMBER:
        return signs
    if data.target is LABELS:
        p = outputs.sigmoid()
        return signs * (p * (1 - p)).sqrt()
    p = outputs.softmax(dim=1)
    scaled = signs * p.sqrt()
    return scaled - p * scaled.sum(dim=1, keepdim=True)


def _weights_of_units(base: nn.Module) -> list[tuple[nn.Parameter, bool]]:
    """The matrices of the network's layers, each once, and whether a unit's weights are a column of it."""
    found: dict[int, tuple[nn.Parameter, bool]] = {}
    for module in base.modules():
        if isinstance(module, (nn.Linear, *_CONVOLUTIONS, Conv1D)):
            found.setdefault(id(module.weight), (module.weight, isinstance(module, Conv1D)))
    return list(found.values())


def _units(weight: nn.Parameter, flipped: bool) -> int:
    return weight.shape[1] if flipped else weight.shape[0]


def _by_unit(values: torch.Tensor, flipped: bool) -> torch.Tensor:
    """The mean over the weights of each unit, (units,)."""
    return values.mean(dim=0) if flipped else values.flatten(start_dim=1).mean(dim=1)


def _gradients(value: torch.Tensor, weights: list[tuple[nn.Parameter, bool]]) -> Any:
    """The gradient of each matrix; None for one that the value does not depend on."""
    if not value.requires_grad:
        return [None] * len(weights)
    return torch.autograd.grad(value, [weight for weight, _ in weights], allow_unused=True)
