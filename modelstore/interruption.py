"""Stopping a statement from another thread: work that takes long asks at each step whether it should go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import duckdb

_current: ContextVar[threading.Event | None] = ContextVar("interruption", default=None)


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Within, `check` stops the work of this thread once ``event`` is set."""
    token = _current.set(event)
    try:
        yield
    finally:
        _current.reset(token)


def check() -> None:
    """Raises ``duckdb.InterruptException``, as DuckDB's own statements do, where the statement shall stop."""
    event = _current.get()
    if event is not None and event.is_set():
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")


@contextmanager
def ctrl_c() -> Iterator[None]:
    """Within, Ctrl-C is a ``KeyboardInterrupt`` also where it meets a query of DuckDB's, which makes it another."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
