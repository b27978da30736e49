"""Stopping a statement from another thread: long work checks at each step whether it should go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import duckdb

_current: ContextVar[tuple[threading.Event, ...]] = ContextVar("interruption", default=())


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Within the block, `check` stops this thread's work once ``event`` is set, or the event of a block around it."""
    token = _current.set((*_current.get(), event))
    try:
        yield
    finally:
        _current.reset(token)


def check() -> None:
    """Raises ``duckdb.InterruptException``, as DuckDB's own statements do, where the statement is to stop."""
    if any(event.is_set() for event in _current.get()):
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")


@contextmanager
def saying_how_to_go_on(how: str) -> Iterator[None]:
    """Within the block, an interruption is told with ``how`` to go on after it."""
    try:
        with ctrl_c():
            yield
    except (KeyboardInterrupt, duckdb.InterruptException) as error:
        error.args = (f"{error} {how}".strip(),)
        raise


@contextmanager
def ctrl_c() -> Iterator[None]:
    """Within the block, Ctrl-C is a ``KeyboardInterrupt`` during DuckDB's queries too, which raise another error."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
