"""Stopping a statement from another thread: work that takes long asks at each step whether it should go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import duckdb

_current: ContextVar[tuple[threading.Event, ...]] = ContextVar("interruption", default=())


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Within, `check` stops the work of this thread once ``event``, or that of a block around it, is set."""
    token = _current.set((*_current.get(), event))
    try:
        yield
    finally:
        _current.reset(token)


def check() -> None:
    """Raises ``duckdb.InterruptException``, as DuckDB's own statements do, where the statement shall stop."""
    if any(event.is_set() for event in _current.get()):
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
