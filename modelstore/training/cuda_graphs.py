"""Captures training steps as CUDA graphs.

A training step of a base-size model runs about a thousand kernels of a few microseconds each, and Python takes
longer to launch them than a large GPU takes to run them. A step is captured once for each batch shape; after that,
one call launches the whole step on other rows.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from transformers import PretrainedConfig

from modelstore.garbage_collection import no_collection

logger = logging.getLogger(__name__)

Shape = tuple[int, int]  # the rows of a batch, and the tokens that each row is padded to
# A capture takes as long as several eager steps, and the memory of one batch's activations: it pays off when at
# least this many steps of its shape are still to come.
BREAK_EVEN = 10
WARM_UP = 2  # eager steps before a shape is captured, in which libraries choose and load their kernels


@dataclass(frozen=True)
class _CapturedStep:
    """A captured training step, and the tensor from which it reads its rows."""

    graph: torch.cuda.CUDAGraph
    rows: torch.Tensor  # (n,) int64


class StepGraphs:
    """Captures a run's training steps, one graph for each shape of batch that comes often enough.

    Parameters
    ----------
    step
        Takes one training step on rows, (n,) int64 on the device, padded to a number of tokens. A later step must
        not depend on anything that it leaves on the host.
    device
        A CUDA device. Its current stream must not be the default stream, on which nothing can be captured.
    """

    def __init__(self, step: Callable[[torch.Tensor, int], None], device: torch.device):
        self._step, self._device = step, device
        self.captured: dict[Shape, _CapturedStep] = {}
        self._seen: Counter[Shape] = Counter()
        self._pool: tuple[int, int] | None = None
        self._possible = True

    def replay(self, rows: NDArray, length: int, steps_left: int) -> bool:
        """Takes a training step by its graph, and captures the graph first where that pays off.

        Parameters
        ----------
        rows
            The rows of the batch, (n,) int64, on the host.
        length
            The tokens that each row is padded to; 0 for images.
        steps_left
            The steps of the run still to come, of any shape.

        Returns
        -------
        bool
            False where there is no graph for this shape, and no step was taken.
        """
        shape = len(rows), length
        captured = self.captured.get(shape)
        if captured is None:
            if not self._should_capture(shape, steps_left):
                return False
            captured = self._capture(rows, length)
            if captured is None:
                return False
        captured.rows.copy_(torch.from_numpy(rows), non_blocking=True)
        captured.graph.replay()
        return True

    def clear(self) -> None:
        """Frees all graphs and their memory; the network can be moved to another device after that."""
        self.captured.clear()
        self._pool = None

    def _should_capture(self, shape: Shape, steps_left: int) -> bool:
        """Counts a batch of a shape, and returns whether capturing that shape now pays off."""
        if not self._possible:
            return False
        self._seen[shape] += 1
        share = self._seen[shape] / self._seen.total()
        return self._seen[shape] > WARM_UP and share * steps_left >= BREAK_EVEN

    def _capture(self, rows: NDArray, length: int) -> _CapturedStep | None:
        """Captures the step of a shape without training; returns None where the network cannot be captured."""
        static = torch.from_numpy(rows).to(self._device)
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.empty_cache()  # a capture cannot use what the allocator has cached for eager steps
        torch.cuda.synchronize(self._device)
        try:
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                # A collection that frees another graph breaks a capture, and one before it takes long.
                with no_collection():
                    self._step(static, length)
            except BaseException:
                # The error of the step counts, not the one that torch raises for the capture that it broke.
                with suppress(RuntimeError):
                    self._end_capture(graph)
                raise
            self._end_capture(graph)
        except RuntimeError as error:  # the forward pass reads a value on the host, or memory runs out
            logger.info("training steps are not captured as CUDA graphs: %s", error, exc_info=True)
            self._possible = False
            self._end_failed_capture(self._pool)
            self.clear()
            torch.cuda.synchronize(self._device)
            return None
        captured = self.captured[len(rows), length] = _CapturedStep(graph, static)
        return captured

    @staticmethod
    def _end_capture(graph: torch.cuda.CUDAGraph) -> None:
        with warnings.catch_warnings(action="ignore"):  # torch warns of a graph that an error left empty
            graph.capture_end()

    def _end_failed_capture(self, pool: tuple[int, int]) -> None:
        """Ends what a failed capture leaves open in torch before 2.13: the capture modes of allocator and generator.

        The generator's state is shared with the graphs of all runs on the device; a capture that succeeds resets it
        in place.
        """
        with suppress(RuntimeError, AttributeError):  # newer versions have ended it
            torch._C._cuda_endAllocateToPool(self._device.index, pool)
        empty = torch.cuda.CUDAGraph()
        with suppress(RuntimeError):
            empty.capture_begin(capture_error_mode="thread_local")
            self._end_capture(empty)


def skips_layers_at_random(config: PretrainedConfig) -> bool:
    """Whether training skips layers at random (layer drop), which the host draws and a captured step would fix."""
    return _has_layer_drop(config.to_dict())


def _has_layer_drop(settings: dict[str, Any]) -> bool:
    return any(
        _has_layer_drop(value) if isinstance(value, dict) else "layerdrop" in name and bool(value)
        for name, value in settings.items()
        if isinstance(name, str)
    )
