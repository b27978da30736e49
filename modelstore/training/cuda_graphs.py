"""Training steps captured as CUDA graphs.

A step of a base-size model is some thousand kernels of a few microseconds each, and Python takes longer to launch
them than a large GPU to run them. Captured once for a shape of batch, the whole step is launched by one call, with
other rows each time.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Shape = tuple[int, int]  # the rows of a batch, and the tokens that each is padded to
# Steps of one shape still to come for which a capture pays: it takes as long as some eager steps, and the memory of
# one batch's activations.
BREAK_EVEN = 10
WARM_UP = 2  # eager steps of a shape before it is captured, in which libraries choose and load their kernels


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    rows: torch.Tensor  # (n,) of int64: the graph reads from it which rows it trains on


class StepGraphs:
    """Captures a run's training steps, one graph for each shape of batch that comes often enough.

    Parameters
    ----------
    step
        Takes one training step on rows (n,) of int64 on the device, padded to so many tokens. It must leave nothing
        on the host that a later step depends on.
    device
        A CUDA device, whose current stream is not the default one.
    """

    def __init__(self, step: Callable[[torch.Tensor, int], None], device: torch.device):
        self._step, self._device = step, device
        self._captured: dict[Shape, _Captured] = {}
        self._seen: Counter[Shape] = Counter()
        self._pool: tuple[int, int] | None = None
        self._possible = True

    def replay(self, rows: NDArray, length: int, steps_left: int) -> bool:
        """Takes the step by a graph, which is captured now if that pays; False where there is none.

        ``steps_left`` are the steps of the run still to come, of any shape.
        """
        shape = len(rows), length
        captured = self._captured.get(shape)
        if captured is None:
            if not self._pays(shape, steps_left):
                return False
            captured = self._capture(rows, length)
            if captured is None:
                return False
        captured.rows.copy_(torch.from_numpy(rows), non_blocking=True)
        captured.graph.replay()
        return True

    def clear(self) -> None:
        """Frees all graphs and their memory; the network may be moved then."""
        self._captured.clear()
        self._pool = None

    def _pays(self, shape: Shape, steps_left: int) -> bool:
        if not self._possible:
            return False
        self._seen[shape] += 1
        share = self._seen[shape] / self._seen.total()
        return self._seen[shape] > WARM_UP and share * steps_left >= BREAK_EVEN

    def _capture(self, rows: NDArray, length: int) -> _Captured | None:
        """Captures the step for a shape; nothing is trained by that. None where the network cannot be captured."""
        static = torch.from_numpy(rows).to(self._device)
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.synchronize(self._device)
        try:
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                self._step(static, length)
            finally:
                with warnings.catch_warnings(action="ignore"):  # of a graph left empty by an error
                    graph.capture_end()
        except RuntimeError as error:  # a forward pass that reads a value, or too little memory
            logger.info("training steps are not captured as CUDA graphs: %s", error, exc_info=True)
            self._possible = False
            self.clear()
            self._renew_generator()
            torch.cuda.synchronize(self._device)
            return None
        captured = self._captured[len(rows), length] = _Captured(graph, static)
        return captured

    def _renew_generator(self) -> None:
        """Lets the device's random numbers go on where they were: a failed capture leaves its generator capturing."""
        generator = torch.cuda.default_generators[self._device.index]
        generator.graphsafe_set_state(generator.clone_state())
