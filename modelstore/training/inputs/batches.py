"""The rows of a split, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.training.inputs.interface import Inputs

MEGABATCH = 16  # batches whose rows are sorted by length together


def training_batches(inputs: Inputs, batch_size: int, generator: torch.Generator) -> Iterator[NDArray]:
    """The rows of one epoch's batches, shuffled by `generator`; the last rows make a smaller batch.

    Texts of like length go together, within megabatches of shuffled rows, so that little of a batch is
    padding while every epoch still mixes its rows anew.
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
    """The rows of batches that hold every row once, the longest texts first."""
    rows = np.arange(len(inputs))
    if inputs.lengths is not None:
        rows = np.argsort(-inputs.lengths, kind="stable")
    for i in range(0, len(rows), batch_size):
        yield rows[i : i + batch_size]
