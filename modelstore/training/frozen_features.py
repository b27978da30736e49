"""What a frozen base model gives for each row of a dataset: computed once, and then given to the head from memory."""

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

KEPT = 2**30  # bytes of features that a run keeps at most; beyond them the base computes every batch anew
SAMPLE = 4  # rows, the longest, that tell what the head reads


@dataclass(frozen=True)
class _Field:
    """A tensor of the base's output that the head reads."""

    # whole: as it is for a row; first: of those that a row has in a line; tokens: one for each; or unknown.
    read: str
    shape: tuple[int, ...]  # for a row, or for a token
    dtype: torch.dtype


@dataclass
class _Kept:
    """The features of a split, on the CPU."""

    inputs: Inputs
    values: dict[str, torch.Tensor]
    has: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.has = np.zeros(len(self.inputs), bool)


class FrozenFeatures:
    """The features of a network's base, as far as the head reads them.

    Where they are of a form that is not known, or too many, none are kept.
    """

    def __init__(self, network: nn.Module, to_device: Callable[[torch.Tensor], torch.Tensor]):
        self._base, self._to_device = network.base_model, to_device
        self._output: type | None = None
        self._read: dict[str, _Field] = {}
        self._unread: dict[str, int] = {}  # how many dimensions the other tensors of the output have
        self._kept: dict[str, _Kept | None] = {}

    def prepare(self, split: str, inputs: Inputs, logits: Callable[[NDArray], torch.Tensor]) -> None:
        """Makes room for the features of a split, so that `of` keeps them as they are computed.

        ``logits`` gives the network's for some rows; called once, in evaluation mode, it shows what the head reads.
        """
        if self._output is None:
            self._look(inputs, logits)
        if split not in self._kept:
            self._kept[split] = self._room_for(inputs)

    def lacks(self, split: str) -> bool:
        """Whether features of a prepared split are to be kept, and some are not computed yet."""
        kept = self._kept[split]
        return kept is not None and not kept.has.all()

    @contextmanager
    def of(self, split: str, rows: NDArray) -> Iterator[None]:
        """Within, the base gives what is kept for these rows; or what it gives for them is kept."""
        kept = self._kept.get(split)
        if kept is None:
            yield
        elif kept.has.all():
            self._base.forward = lambda *_, **__: self._replay(kept, rows)
            try:
                yield
            finally:
                del self._base.forward
        else:
            hook = self._base.register_forward_hook(lambda _, __, output: self._keep(kept, rows, output))
            try:
                yield
            finally:
                hook.remove()

    def _look(self, inputs: Inputs, logits: Callable[[NDArray], torch.Tensor]) -> None:
        """Finds what of the base's output the logits have gradients of."""
        rows = np.arange(min(SAMPLE, len(inputs)))
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
        weights = torch.arange(1.0, outputs.shape[1] + 1, device=outputs.device)
        gradients = torch.autograd.grad((outputs * weights).sum(), list(leaves.values()), allow_unused=True)
        for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
            if gradient is None:
                self._unread[name] = leaf.ndim
            else:
                self._read[name] = _field_of(leaf, gradient, inputs, rows)

    def _room_for(self, inputs: Inputs) -> _Kept | None:
        tokens = 0 if inputs.lengths is None else int(inputs.lengths.sum())
        shapes = {
            name: (tokens if one.read == "tokens" else len(inputs), *one.shape)
            for name, one in self._read.items()
        }
        if not shapes or any(one.read == "unknown" for one in self._read.values()):
            return None
        taken = sum(math.prod(shape) * self._read[name].dtype.itemsize for name, shape in shapes.items())
        others = sum(x.nbytes for kept in self._kept.values() if kept for x in kept.values.values())
        if taken + others > KEPT:
            return None
        values = {name: torch.empty(shape, dtype=self._read[name].dtype) for name, shape in shapes.items()}
        return _Kept(inputs, values)

    def _keep(self, kept: _Kept, rows: NDArray, output: Any) -> None:
        for name, one in self._read.items():
            value = output[name].detach().cpu()
            if one.read == "tokens":
                is_token, places = _places(kept.inputs, rows)
                kept.values[name][places] = value[is_token]
            else:
                kept.values[name][rows] = value[:, :1] if one.read == "first" else value
        kept.has[rows] = True

    def _replay(self, kept: _Kept, rows: NDArray) -> Any:
        """The base's output for these rows, with something in the place of what the head does not read."""
        values: dict[str, torch.Tensor] = {
            name: torch.zeros(len(rows), *[1] * (dimensions - 1)) for name, dimensions in self._unread.items()
        }
        for name, one in self._read.items():
            if one.read == "tokens":
                is_token, places = _places(kept.inputs, rows)
                values[name] = torch.zeros(*is_token.shape, *one.shape, dtype=one.dtype)
                values[name][is_token] = kept.values[name][places]
            else:
                values[name] = kept.values[name][rows]
        assert self._output is not None
        return self._output(**{name: self._to_device(value) for name, value in values.items()})


def _field_of(value: torch.Tensor, gradient: torch.Tensor, inputs: Inputs, rows: NDArray) -> _Field:
    shape = tuple(value.shape)
    if isinstance(inputs, TextInputs) and inputs.left:  # where positions shift with the padding
        return _Field("unknown", shape[1:], value.dtype)
    if value.ndim == 3 and not gradient[:, 1:].any():
        return _Field("first", (1, *shape[2:]), value.dtype)
    if not isinstance(inputs, TextInputs) or value.ndim == 2:
        return _Field("whole", shape[1:], value.dtype)
    as_tokens = value.ndim == 3 and shape[:2] == inputs.mask(rows).shape
    return _Field("tokens" if as_tokens else "unknown", shape[2:], value.dtype)


def _places(inputs: Inputs, rows: NDArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Where in a batch (rows, longest row) tokens are, and the places of these among all tokens of the split."""
    assert isinstance(inputs, TextInputs)
    mask = inputs.mask(rows)
    is_token = mask.astype(bool)
    return torch.from_numpy(is_token), torch.from_numpy(inputs.places(mask, rows)[is_token])
