"""Computes what a network says of every row of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.training.failures import NotFinite
from modelstore.training.inputs.batches import evaluation_batches
from modelstore.training.micro_batches import MicroBatcher
from modelstore.training.placed_network import PlacedNetwork
from modelstore.training.targets import Targets

# Evaluation batches are this many times as large as training batches, since evaluation keeps no activations for
# gradients; a GPU needs more rows to be busy.
EVALUATION_BATCH = {"cpu": 2, "cuda": 8}


class Evaluation:
    """Computes the logits of splits, without gradients.

    Parameters
    ----------
    placed
        The network, on the device while it computes.
    targets
        The targets of the splits.
    micro_batches
        What fits in memory at once.
    batch_size
        The rows of a training batch.
    """

    def __init__(self, placed: PlacedNetwork, targets: Targets, micro_batches: MicroBatcher, batch_size: int):
        self._placed, self._targets, self._micro_batches = placed, targets, micro_batches
        self._size = EVALUATION_BATCH[placed.device.type] * batch_size

    def logits(self, split: str) -> NDArray:
        """Computes the logits of a split, in order: (targets, outputs); NaN for tokens that are cut off.

        Raises
        ------
        NotFinite
            One of the others is not a finite number.
        """
        order, outputs = [], []
        with self._computing(split):
            for rows in evaluation_batches(self._placed.inputs(split), self._size):
                check()
                order.append(self._targets.places(split, rows))
                outputs.append(self._in_parts(split, rows))
        logits = torch.cat(outputs).cpu().numpy()
        if not np.isfinite(logits).all():
            raise NotFinite
        return in_order(logits, order, self._targets.count(split))

    def are_finite(self, split: str, rows: NDArray) -> bool:
        """Whether the logits of some rows of a split, (n,), are all finite numbers."""
        with self._computing(split):
            return bool(torch.isfinite(self._in_parts(split, rows)).all())

    @contextmanager
    def _computing(self, split: str) -> Iterator[None]:
        self._placed.prepare_features(split)
        self._placed.network.eval()
        with torch.inference_mode():
            yield

    def _in_parts(self, split: str, rows: NDArray) -> torch.Tensor:
        """Computes the logits of a batch, in micro-batches where it is too large for the memory."""

        def outputs(part: NDArray) -> torch.Tensor:
            return self._targets.outputs(split, part, self._placed.logits(split, part))

        return self._micro_batches.compute(rows, outputs)


def in_order(logits: NDArray, places: Sequence[NDArray], count: int) -> NDArray:
    """Puts the logits of batches in order: (count, outputs), NaN where there are none.

    Parameters
    ----------
    logits
        Those of all batches, (n, outputs).
    places
        Where those of each batch go, n in all.
    count
        How many there could be.
    """
    ordered = np.full((count, logits.shape[1]), np.nan, logits.dtype)
    ordered[np.concatenate(places)] = logits
    return ordered
