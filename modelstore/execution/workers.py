"""The workers of a statement: those of this machine, which stay, or those of a cluster, which come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelstore.execution.worker import Worker


class Workers(Protocol):
    """Who trains for a statement."""

    @property
    def here(self) -> Worker | None:
        """The worker that is this process; None where there is none."""
        ...

    @property
    def at_once(self) -> int:
        """How many of them may work at the same time."""
        ...

    def present(self) -> Sequence[Worker]:
        """Those that are there now, each for as long as it is not lost; some may not be ready yet."""
        ...

    def threads_each(self, at_once: int) -> int:
        """The CPU threads of each worker where so many work at the same time."""
        ...

    def wait(self) -> None:
        """Waits for a moment for a worker, where none of those present is ready.

        Raises
        ------
        TrainingError
            If none can be expected any more.
        """
        ...


class FixedWorkers:
    """Workers of this machine: this process, the first, and processes beside it.

    Parameters
    ----------
    workers
        The workers; the first is always ready.
    """

    def __init__(self, workers: Sequence[Worker]):
        self._workers = list(workers)

    @property
    def here(self) -> Worker | None:
        return self._workers[0]

    @property
    def at_once(self) -> int:
        return len(self.present())

    def present(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.alive]

    def threads_each(self, at_once: int) -> int:
        import torch

        return max(1, torch.get_num_threads() // at_once)

    def wait(self) -> None:
        raise AssertionError("the first worker is always ready")
