"""What a worker process runs: a `WorkerServer` at the other end of the pipe of a `PipeTransport`.

The process ends when the other end of the pipe is gone, and when everything has been released and nothing is asked of
it for long.
"""

from __future__ import annotations

import os
import threading
import time
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue

from modelstore.execution.messages import Ask, BatchesDone, Message, Ready, ReleaseAll, ReleaseRun, Stop
from modelstore.execution.server import WorkerServer

PARENT_SECONDS = 0.5  # between two looks whether the parent is there
IDLE_SECONDS = 300.0  # without a message since everything was released, after which the process ends


def main(connection: Connection, parent: int | None = None, idle_seconds: float = IDLE_SECONDS) -> None:
    """Carries out what comes through the pipe until the process is idle for ``idle_seconds``.

    Parameters
    ----------
    connection
        The pipe.
    parent
        The process that has started this one, which ends with it. The pipe may outlive it: a process that it forked
        has the other end, too.
    idle_seconds
        How long nothing is asked before the process ends.
    """
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from modelstore.execution import torch_executor  # noqa: F401 - it takes seconds to load: `Ready` comes after that

    server = WorkerServer(lambda count: connection.send(BatchesDone(count)))
    inbox: SimpleQueue[Ask | ReleaseRun | ReleaseAll] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, inbox, server), daemon=True).start()
    connection.send(Ready())
    patience = None  # a client that has not released its runs may come back to them at any time
    while True:
        try:
            message = inbox.get(timeout=patience)
        except Empty:
            return
        patience = None
        match message:
            case Ask():
                connection.send(server.answer(message))
            case ReleaseRun(run):
                server.release_run(run)
            case ReleaseAll():
                server.release_all()
                patience = idle_seconds


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(0)


def _receive(
    connection: Connection, inbox: SimpleQueue[Ask | ReleaseRun | ReleaseAll], server: WorkerServer
) -> None:
    """Passes messages on in their order, but for `Stop`, which is obeyed at once."""
    while True:
        try:
            message: Message = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # there is no client to train for
        if isinstance(message, Stop):
            server.stop()
            continue
        if isinstance(message, Ask):
            server.expect_request()
        inbox.put(message)
