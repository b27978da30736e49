"""The thread that logs: a statement hands its events over and goes on, whatever the tracker does with them."""

import logging
import threading
from collections.abc import Callable
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Protocol

from modelstore.errors import OptionError, reason_of
from modelstore.progress import is_shown, notify

PATIENCE = 10.0  # seconds that closing a connection waits for what is still to be logged
ENDING = 1.0  # seconds that it then waits for the thread, which may have events of another connection


class Log(Protocol):
    """What one statement's events are logged to."""

    def __call__(self, event: object) -> None:
        """Logs an event of `modelstore.events`; raises whatever keeps it from that."""


class Tracker:
    """Logs the events of a connection's statements, in their order, in a thread of its own.

    An error of the tracker ends the logging of the statement that it is in, and is said once.

    Parameters
    ----------
    new_log
        Makes what one statement is logged to. It is called in the tracker's thread.
    """

    def __init__(self, new_log: Callable[[], Log]):
        self._new_log = new_log
        self._waiting: SimpleQueue[tuple[_Statement, object] | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._has_told = False

    def statement(self) -> Callable[[object], None]:
        """What hears the events of a statement that begins."""
        statement = _Statement()

        def hear(event: object) -> None:
            self._waiting.put((statement, event))
            self._start()
            self._tell()

        return hear

    def flush(self, patience: float = PATIENCE) -> None:
        """Waits until all is logged and the thread has ended, at most so many seconds, and says what was not."""
        thread = self._thread
        if thread is None:
            return
        done = threading.Event()
        self._waiting.put(done)
        if done.wait(patience):
            thread.join(ENDING)
        else:
            self._error = self._error or TimeoutError(
                f"it took more than {patience:g} s to log what was left"
            )
        self._tell()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._log_all, name="tracker", daemon=True)
                self._thread.start()

    def _log_all(self) -> None:
        while True:
            waiting = self._waiting.get()
            if isinstance(waiting, threading.Event):
                waiting.set()
                with self._lock:
                    if self._waiting.empty():
                        self._thread = None
                        return
                continue
            statement, event = waiting
            if statement.has_failed:
                continue
            try:
                statement.log = statement.log or self._new_log()
                statement.log(event)
            except (
                BaseException
            ) as error:  # whatever the tracker's library raises: nothing of it ends a statement
                statement.has_failed = True
                self._error = self._error or error

    def _tell(self) -> None:
        """Says why something is not logged: above the panel, or where there is none, as a warning of `logging`."""
        if self._error is None or self._has_told:
            return
        self._has_told = True
        line = f"the tracker failed, so what it lacks is on record here alone: {reason_of(self._error)}"
        notify(line) if is_shown() else logging.getLogger(__name__).warning("%s", line)


class _Statement:
    """What the thread knows of a statement."""

    def __init__(self) -> None:
        self.log: Log | None = None
        self.has_failed = False


def tracker_at(address: str) -> Tracker:
    """The tracker at an address, ``mlflow:<tracking uri>``; without a uri, MLflow's own settings say where.

    Raises
    ------
    OptionError
        It is no such address, or the tracker's package is not installed.
    """
    kind, _, uri = address.partition(":")
    if kind != "mlflow":
        raise OptionError(
            f'tracking is "{address}", and should name MLflow and its store: tracking="mlflow:sqlite:///mlflow.db"'
        )
    if find_spec("mlflow") is None:
        raise OptionError("tracking needs MLflow, which is not installed: pip install modelstore[mlflow]")

    def new_log() -> Log:
        from modelstore.tracking.mlflow_log import MlflowLog

        return MlflowLog(uri or None)

    return Tracker(new_log)
