"""Stores the output of a frozen base model for each row of a dataset, so that only the head runs in later epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.text import TextInputs

# The most memory that a run's features may take; a split that would exceed it passes through the base every epoch.
MAX_BYTES = 2**30
SAMPLE_ROWS = 4  # the longest rows, used to find out which tensors the head reads


@dataclass(frozen=True)
class HeadInput:
    """A tensor of the base's output that the head reads.

    ``read`` says which part of a row the head reads: "whole", "first" (the first position alone), "tokens" (one
    vector for each token), or "unknown" (which cannot be stored). ``shape`` is that of a row, or of a token.
    """

    read: str
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass
class _SplitFeatures:
    """The stored features of a split, on the CPU; ``computed`` marks the rows that are there, (rows,)."""

    inputs: Inputs
    values: dict[str, torch.Tensor]
    computed: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.computed = np.zeros(len(self.inputs), bool)


class FrozenFeatures:
    """Stores those outputs of a network's frozen base that its head reads.

    Nothing is stored for outputs of an unknown form, or for a split that would exceed `MAX_BYTES`.

    Parameters
    ----------
    network
        A classifier or regressor whose base has no trainable weights.
    to_device
        Moves a tensor to the network's device.
    """

    def __init__(self, network: nn.Module, to_device: Callable[[torch.Tensor], torch.Tensor]):
        self._base, self._to_device = network.base_model, to_device
        self._output: type | None = None
        self.head_inputs: dict[str, HeadInput] = {}
        self._unread: dict[str, int] = {}  # the dimensions of each tensor that the head does not read
        self._stored: dict[str, _SplitFeatures | None] = {}

    def prepare(self, split: str, inputs: Inputs, logits: Callable[[NDArray], torch.Tensor]) -> None:
        """Allocates memory for the features of a split, which `cached` then fills.

        Parameters
        ----------
        split
            The split's name.
        inputs
            Its rows.
        logits
            Computes the network's logits for some rows of the split. It is called once, in evaluation mode, to find
            out which tensors the head reads.
        """
        if self._output is None:
            self._find_head_inputs(inputs, logits)
        if split not in self._stored:
            self._stored[split] = self._allocate(inputs)

    @property
    def nbytes(self) -> int:
        """The memory of all splits' features, in bytes; 0 where none are stored."""
        return sum(x.nbytes for stored in self._stored.values() if stored for x in stored.values.values())

    def is_incomplete(self, split: str) -> bool:
        """Whether a prepared split's features are to be stored, and some are not computed yet."""
        stored = self._stored[split]
        return stored is not None and not stored.computed.all()

    @contextmanager
    def cached(self, split: str, rows: NDArray) -> Iterator[None]:
        """Within the context, the base returns the stored features of these rows, or its output for them is stored.

        A complete split is read from memory; before that, the base runs and its output is added to the store.
        """
        stored = self._stored.get(split)
        if stored is None:
            yield
        elif stored.computed.all():
            self._base.forward = lambda *_, **__: self._load(stored, rows)
            try:
                yield
            finally:
                del self._base.forward
        else:
            hook = self._base.register_forward_hook(lambda _, __, output: self._store(stored, rows, output))
            try:
                yield
            finally:
                hook.remove()

    def _find_head_inputs(self, inputs: Inputs, logits: Callable[[NDArray], torch.Tensor]) -> None:
        """Finds which tensors of the base's output the logits depend on, by their gradients."""
        rows = np.arange(min(SAMPLE_ROWS, len(inputs)))
        if inputs.lengths is not None:
            rows = np.argsort(-inputs.lengths, kind="stable")[: len(rows)]
        leaves: dict[str, torch.Tensor] = {}

        def watch(_module: nn.Module, _arguments: Any, output: Any) -> Any:
            self._output = type(output)
            tensors = {name: x for name, x in output.items() if isinstance(x, torch.Tensor)}
            leaves.update({name: x.detach().requires_grad_() for name, x in tensors.items()})
            return self._output(**leaves)

        hook = self._base.register_forward_hook(watch)
        try:
            outputs = logits(rows)
        finally:
            hook.remove()
        weights = torch.arange(1.0, outputs.shape[-1] + 1, device=outputs.device)
        gradients = torch.autograd.grad((outputs * weights).sum(), list(leaves.values()), allow_unused=True)
        for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
            if gradient is None:
                self._unread[name] = leaf.ndim
            else:
                self.head_inputs[name] = _head_input(leaf, gradient, inputs, rows)

    def _allocate(self, inputs: Inputs) -> _SplitFeatures | None:
        """Allocates memory for the features of a split's rows; returns None where they cannot be stored."""
        tokens = 0 if inputs.lengths is None else int(inputs.lengths.sum())
        shapes = {
            name: (tokens if one.read == "tokens" else len(inputs), *one.shape)
            for name, one in self.head_inputs.items()
        }
        if not shapes or any(one.read == "unknown" for one in self.head_inputs.values()):
            return None
        taken = sum(
            math.prod(shape) * self.head_inputs[name].dtype.itemsize for name, shape in shapes.items()
        )
        if taken + self.nbytes > MAX_BYTES:
            return None
        values = {
            name: torch.empty(shape, dtype=self.head_inputs[name].dtype) for name, shape in shapes.items()
        }
        return _SplitFeatures(inputs, values)

    def _store(self, stored: _SplitFeatures, rows: NDArray, output: Any) -> None:
        """Adds the base's output for these rows to the stored features."""
        for name, one in self.head_inputs.items():
            value = output[name].detach().cpu()
            if one.read == "tokens":
                is_token, positions = _token_positions(stored.inputs, rows)
                stored.values[name][positions] = value[is_token]
            else:
                stored.values[name][rows] = value[:, :1] if one.read == "first" else value
        stored.computed[rows] = True

    def _load(self, stored: _SplitFeatures, rows: NDArray) -> Any:
        """Returns the base's output for these rows from memory, with zeros for the tensors that the head ignores."""
        values: dict[str, torch.Tensor] = {
            name: torch.zeros(len(rows), *[1] * (dimensions - 1)) for name, dimensions in self._unread.items()
        }
        for name, one in self.head_inputs.items():
            if one.read == "tokens":
                is_token, positions = _token_positions(stored.inputs, rows)
                values[name] = torch.zeros(*is_token.shape, *one.shape, dtype=one.dtype)
                values[name][is_token] = stored.values[name][positions]
            else:
                values[name] = stored.values[name][rows]
        assert self._output is not None
        return self._output(**{name: self._to_device(value) for name, value in values.items()})


def _head_input(value: torch.Tensor, gradient: torch.Tensor, inputs: Inputs, rows: NDArray) -> HeadInput:
    """Describes a tensor that the head reads: ``gradient`` is that of the logits with respect to ``value``."""
    shape = tuple(value.shape)
    # Padding on the left shifts the positions of a row's tokens, so that its output depends on its batch.
    if isinstance(inputs, TextInputs) and inputs.left:
        return HeadInput("unknown", shape[1:], value.dtype)
    if value.ndim == 3 and not gradient[:, 1:].any():
        return HeadInput("first", (1, *shape[2:]), value.dtype)
    if not isinstance(inputs, TextInputs) or value.ndim == 2:
        return HeadInput("whole", shape[1:], value.dtype)
    as_tokens = value.ndim == 3 and shape[:2] == inputs.mask(rows).shape
    return HeadInput("tokens" if as_tokens else "unknown", shape[2:], value.dtype)


def _token_positions(inputs: Inputs, rows: NDArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns which positions of a batch are tokens, (rows, longest row), and their positions in the whole split."""
    assert isinstance(inputs, TextInputs)
    mask = inputs.mask(rows)
    is_token = mask.astype(bool)
    return torch.from_numpy(is_token), torch.from_numpy(inputs.positions(mask, rows)[is_token])
