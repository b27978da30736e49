"""Divides the rows of a split into batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.training.inputs.interface import Inputs

MEGABATCH = 16  # the batches whose rows are sorted by length together


def training_batches(inputs: Inputs, batch_size: int, generator: torch.Generator) -> Iterator[NDArray]:
    """Yields the rows of each batch of one epoch, in random order.

    Parameters
    ----------
    inputs
        The inputs of the split.
    batch_size
        The rows in a batch; one batch is smaller if they do not divide evenly.
    generator
        Draws the order of the rows and of the batches.

    Yields
    ------
    NDArray
        The row numbers of a batch, (n,).

    Notes
    -----
    The rows are shuffled and divided into groups of `MEGABATCH` batches; within a group, texts are sorted by length.
    A batch then holds texts of similar length and little padding, but different rows in every epoch.
    """
    rows = torch.randperm(len(inputs), generator=generator).numpy()
    if inputs.lengths is not None:
        size = MEGABATCH * batch_size
        megabatches = [rows[i : i + size] for i in range(0, len(rows), size)]
        rows = np.concatenate([m[np.argsort(inputs.lengths[m], kind="stable")] for m in megabatches])
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    for i in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[i]


def evaluation_batches(inputs: Inputs, batch_size: int) -> Iterator[NDArray]:
    """Yields the rows of batches, (n,), that hold every row once; the longest texts come first."""
    rows = np.arange(len(inputs))
    if inputs.lengths is not None:
        rows = np.argsort(-inputs.lengths, kind="stable")
    for i in range(0, len(rows), batch_size):
        yield rows[i : i + batch_size]
