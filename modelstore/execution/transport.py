"""What carries messages between a `WorkerClient` and its server: a pipe to a process on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.spawn import get_executable
from typing import Protocol

from modelstore.data.remote import AnyPath, reachable_by_processes
from modelstore.execution.messages import Answer, Message
from modelstore.execution.worker import WorkerLost


class Transport(Protocol):
    """The client's end of a connection to one worker. Several threads may send; one receives."""

    @property
    def alive(self) -> bool:
        """Whether the worker is there, as far as is known."""
        ...

    def send(self, message: Message) -> None:
        """Sends a message. Raises `WorkerLost` where the worker is gone."""
        ...

    def receive(self, timeout: float) -> Answer | None:
        """The next answer; None where none comes within ``timeout`` seconds. Raises `WorkerLost`."""
        ...

    def reaches(self, folder: AnyPath) -> bool:
        """Whether a worker that is asked to write there does, for this process to find."""
        ...

    def kill(self) -> None:
        """Ends the worker at once; any thread may call this, also while another sends or receives."""
        ...

    def close(self) -> None:
        """Ends the worker at once."""
        ...


class PipeTransport:
    """Starts a worker process on this machine and talks to it through a pipe.

    The process is not waited for: it sends `Ready` when it has started.

    Parameters
    ----------
    executable
        The Python interpreter; None for the one of this process.

    Raises
    ------
    OSError
        If the process cannot be started.
    """

    def __init__(self, executable: str | None = None) -> None:
        self._lost = False
        self._sending = threading.Lock()
        self._connection, theirs = Pipe()
        import_path = [path for path in sys.path if isinstance(path, str)]
        # The caller's `__main__` is not imported again, so a program needs no `if __name__ == '__main__'`.
        code = (
            f"import sys; sys.path[:] = {import_path!r}; from multiprocessing.connection import Connection; "
            "from modelstore.execution.worker_process import main; "
            f"main(Connection({theirs.fileno()}), parent={os.getpid()})"
        )
        self._process = subprocess.Popen(
            [executable or os.fsdecode(get_executable()), "-c", code],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that a Ctrl-C at the terminal does not reach it
        )
        theirs.close()

    @property
    def pid(self) -> int:
        """The number of the worker's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._lost and self._process.poll() is None

    def send(self, message: Message) -> None:
        with self._lost_where_broken(), self._sending:
            self._connection.send(message)

    def receive(self, timeout: float) -> Answer | None:
        with self._lost_where_broken():
            if not self._connection.poll(timeout):
                return None
            answer: Answer = self._connection.recv()
            return answer

    def reaches(self, folder: AnyPath) -> bool:
        return reachable_by_processes(folder)

    def kill(self) -> None:
        self._lost = True
        self._process.kill()

    def close(self) -> None:
        self._lost = True
        self._connection.close()
        self._process.kill()
        self._process.wait()

    @contextmanager
    def _lost_where_broken(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self._lost = True
            raise WorkerLost(
                f"the process that was training ended{self._how()}; the machine may be short of memory"
            ) from error

    def _how(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            return f" by signal {-code}" if code < 0 else f" with exit code {code}"
        return ""
