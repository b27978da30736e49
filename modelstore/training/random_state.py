"""Gives each run a random state of its own, whatever else in the process draws random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# The states of the CPU's generator, and of the device's where that is CUDA.
Values = tuple[torch.Tensor, torch.Tensor | None]


class RandomState:
    """The random state of a run.

    Parameters
    ----------
    seed
        The seed that the state begins with.
    device
        The device whose generator belongs to the state, beside the CPU's.

    Attributes
    ----------
    values
        The state while it is not in use.
    """

    def __init__(self, seed: int, device: torch.device):
        self._device = device
        self._forked = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(self._forked):
            torch.default_generator.manual_seed(seed)
            if self._forked:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            self.values = self.current()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within the context, torch draws from this state; after it, torch has the state that it had before."""
        with torch.random.fork_rng(self._forked):
            self.set_current(self.values)
            try:
                yield
            finally:
                self.values = self.current()

    def current(self) -> Values:
        """Returns the present state of torch's generators."""
        cuda = torch.cuda.get_rng_state(self._device) if self._forked else None
        return torch.get_rng_state(), cuda

    def set_current(self, values: Values) -> None:
        """Sets torch's generators to a state that `current` returned."""
        cpu, cuda = values
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self._device)
