"""Batches that are too large for the memory, cut into parts that fit."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray


class MicroBatcher:
    """How many rows fit the memory at once, as far as is known: ``fitting``."""

    def __init__(self, fitting: int):
        self.fitting = fitting

    def of(self, rows: NDArray) -> list[NDArray]:
        """The rows in as few parts, of like size, as fit."""
        return np.array_split(rows, math.ceil(len(rows) / self.fitting))

    def shrink(self, error: RuntimeError, rows: int) -> None:
        """Makes the parts of so many rows smaller where ``error`` says that they did not fit.

        Raises it where it says something else, or they were single rows.
        """
        size = math.ceil(rows / math.ceil(rows / self.fitting))
        if not is_out_of_memory(error) or size == 1:
            raise error
        error.__traceback__ = None  # whose frames hold what did not fit
        self.fitting = math.ceil(size / 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch's says that memory ran out, on a GPU or for the CPU's allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
