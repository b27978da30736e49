"""torch's random state as one run's own, whatever else in the process draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

Values = tuple[
    torch.Tensor, torch.Tensor | None
]  # the CPU's generator's, and the device's where that is CUDA


class RandomState:
    """Begins with a seed; kept in ``values`` while it is not in use."""

    def __init__(self, seed: int, device: torch.device):
        self._device = device
        self._forked = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(self._forked):
            torch.default_generator.manual_seed(seed)
            if self._forked:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            self.values = self.now()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within, torch draws from it; after, torch is in the state that it was in before."""
        with torch.random.fork_rng(self._forked):
            self.set(self.values)
            try:
                yield
            finally:
                self.values = self.now()

    def now(self) -> Values:
        """The values that torch is at."""
        cuda = torch.cuda.get_rng_state(self._device) if self._forked else None
        return torch.get_rng_state(), cuda

    def set(self, values: Values) -> None:
        """Puts torch at these values."""
        cpu, cuda = values
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self._device)
