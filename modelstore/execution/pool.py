"""Worker processes of this machine: started when they are first needed, and kept for the next statement.

Several small models train faster side by side than one after another on all threads, or on a whole GPU. Each has a
process of its own, since torch has one random state, and Python one interpreter lock, per process.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from modelstore.execution.client import WorkerClient
from modelstore.execution.local import LocalWorker
from modelstore.execution.transport import PipeTransport, Transport
from modelstore.execution.workers import FixedWorkers


class WorkerPool:
    """This process and worker processes beside it.

    Parameters
    ----------
    start
        Starts a worker process. Raises ``OSError`` where it cannot.
    """

    def __init__(self, start: Callable[[], Transport] = PipeTransport):
        self._start = start
        self._idle: list[WorkerClient] = []
        self._lock = threading.Lock()

    @contextmanager
    def workers(self, devices: Sequence[str]) -> Iterator[FixedWorkers]:
        """Gives a worker for each device, this process the first; fewer where no more can be started.

        When the block ends, the worker processes are idle and wait for the next one.
        """
        clients: list[WorkerClient] = []
        try:
            with suppress(OSError):
                for device in devices[1:]:
                    clients.append(self._take(device))
            yield FixedWorkers([LocalWorker(devices[0]), *clients])
        finally:
            for client in clients:
                client.release_all()
            with self._lock:
                self._idle.extend(client for client in clients if client.alive)

    def close(self) -> None:
        """Ends the idle worker processes."""
        while self._idle:
            self._idle.pop().close()

    def leave_to_parent(self) -> None:
        """In a process that was forked: the worker processes are its parent's."""
        self._lock = threading.Lock()
        self._idle.clear()

    def _take(self, device: str) -> WorkerClient:
        """An idle worker process, or a new one; it has all threads until `run_jobs` shares them out."""
        import torch

        with self._lock:
            alive = [client for client in self._idle if client.alive]
            self._idle[:] = alive[1:]
        client = alive[0] if alive else WorkerClient(device, self._start())
        client.device, client.threads = device, torch.get_num_threads()
        return client


_pool = WorkerPool()
atexit.register(_pool.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.leave_to_parent)


def worker_pool(devices: Sequence[str]) -> AbstractContextManager[FixedWorkers]:
    """A block of code with a worker for each device, this process the first; see `WorkerPool.workers`."""
    return _pool.workers(devices)
