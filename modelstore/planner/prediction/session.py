"""What the functions that run models know of the connection that calls them."""

import itertools
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from modelstore.interruption import Interruption

_numbers = itertools.count(1)
_sessions: "weakref.WeakValueDictionary[str, PredictionSession]" = weakref.WeakValueDictionary()


class PredictionSession:
    """One connection, which its macros name to the functions by a key.

    Parameters
    ----------
    connection
        The DuckDB connection.
    database
        The name under which the store's database is attached.
    moved
        Where models are that the file has at other uris.
    stop
        What stops the connection's statements.

    Attributes
    ----------
    has_predicted
        Whether any of its statements has called a function that runs a model.
    fetched
        Where models are that came from elsewhere, by their uris.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        database: str,
        moved: Mapping[str, str],
        stop: Interruption,
    ):
        self.key = str(next(_numbers))
        self.connection, self.database, self.moved, self.stop = connection, database, moved, stop
        self.has_predicted = False
        self.fetched: dict[str, Path] = {}
        _sessions[self.key] = self

    @contextmanager
    def stopped_by_ctrl_c(self) -> Iterator[None]:
        """A block in which DuckDB runs a statement: Ctrl-C stops what other threads of DuckDB's predict for it.

        DuckDB notices Ctrl-C in this thread, and waits for the others, which would go on to the end of their rows.
        The block then ends by a ``KeyboardInterrupt``, whichever thread was the first to stop.
        """
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield  # who has a handler of its own interrupts the connection, as the shell does
            return

        pressed = False

        def stop(*arguments: Any) -> None:
            nonlocal pressed
            pressed = True
            self.stop.set()
            signal.default_int_handler(*arguments)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        except (duckdb.Error, RuntimeError):
            if pressed:
                raise KeyboardInterrupt from None
            raise
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def session_of(key: str) -> PredictionSession:
    """The session of a key. Raises ``duckdb.ConnectionException`` where its connection is closed."""
    session = _sessions.get(key)
    if session is None:
        raise duckdb.ConnectionException("the connection that this predict is of is closed")
    return session
