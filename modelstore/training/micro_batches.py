"""Splits batches that are too large for the memory into micro-batches that fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray


class MicroBatcher:
    """Splits batches, and finds from out-of-memory errors how many rows fit at once.

    Parameters
    ----------
    fitting
        The rows that are expected to fit in memory at once; `make_room` lowers it.
    free
        Frees other memory of the device; returns whether there was any.
    """

    def __init__(self, fitting: int, free: Callable[[], bool]):
        self.fitting, self._free = fitting, free

    def split(self, rows: NDArray, most: int | None = None) -> list[NDArray]:
        """Splits the rows of a batch, (n,), into as few micro-batches of about equal size as fit in memory.

        ``most`` is the most rows of one of them, whatever fits.
        """
        size = self.fitting if most is None else min(self.fitting, most)
        return np.array_split(rows, math.ceil(len(rows) / size))

    def compute(self, rows: NDArray, outputs: Callable[[NDArray], torch.Tensor]) -> torch.Tensor:
        """Computes the outputs for the rows of a batch, (n,), in as few micro-batches as fit in memory.

        Parameters
        ----------
        rows
            The rows.
        outputs
            Computes them for some of the rows; its results are joined in order.
        """
        while True:
            try:
                return torch.cat([outputs(part) for part in self.split(rows)])
            except RuntimeError as error:
                self.make_room(error, len(rows))

    def make_room(self, error: RuntimeError, rows: int) -> None:
        """Frees other memory after an out-of-memory error, or else halves the micro-batches of a batch.

        Parameters
        ----------
        error
            What torch raised. It is raised again if it is another error, or if the micro-batches were single rows.
        rows
            The rows of the whole batch.
        """
        if not is_out_of_memory(error):
            raise error
        if self._free():
            return
        size = math.ceil(rows / math.ceil(rows / self.fitting))
        if size == 1:
            raise error
        error.__traceback__ = None  # its frames hold the tensors that did not fit
        self.fitting = math.ceil(size / 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch raised an error because memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
