"""One computation with torch at a time in this process.

torch has one random state and one number of threads, and transformers one set of settings, for all threads of a
process: of two trainings at once, each would change what the other draws. So a statement that trains, or runs a
model, takes the turn, and others wait for it.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from modelstore.interruption import check
from modelstore.progress import notify

POLL_SECONDS = 0.05  # between two looks whether the turn is free, or the statement has been interrupted


class _Turn:
    """What has the turn, while it lives; ``statement`` is what `statement_of` was told, if it was."""

    def __init__(self, statement: object | None = None):
        self.statement = statement


_statement: ContextVar[object | None] = ContextVar("statement", default=None)
# The turn of a statement is that of all threads that work for it: they run in copies of its context.
_mine: ContextVar[_Turn | None] = ContextVar("turn", default=None)
_lock = threading.Lock()
_holder: "weakref.ref[_Turn] | None" = None


@contextmanager
def statement_of(connection: object) -> Iterator[None]:
    """A block that runs a statement of a connection: its turn is that of functions in its queries too."""
    token = _statement.set(connection)
    try:
        yield
    finally:
        _statement.reset(token)


@contextmanager
def turn(within: object | None = None) -> Iterator[bool]:
    """A block that computes with torch; it waits until no other one does, and can be interrupted meanwhile.

    A block within it goes on at once.

    Parameters
    ----------
    within
        The connection that a function in a query computes for, maybe in a thread of DuckDB's: while a statement of
        the connection (see `statement_of`) has the turn and waits for its query, the block is within that.

    Yields
    ------
    bool
        Whether another block has computed meanwhile: what is on record may have changed.
    """
    holder = _holder() if _holder is not None else None
    if within is not None and holder is not None and holder.statement is within:
        yield False
        return
    with _held(_wait_for, within=False) as waited:
        yield waited


@contextmanager
def turn_if_free() -> Iterator[bool]:
    """A block that computes with torch if no other one does; gives whether it may."""
    with _held(_take, within=True) as is_free:
        yield is_free


@contextmanager
def _held(take: Callable[[_Turn], bool], within: bool) -> Iterator[bool]:
    """A block with a turn of its own, which gives what ``take`` of it does; ``within`` another such block, that."""
    if _mine.get() is not None:
        yield within
        return
    mine = _Turn(_statement.get())
    token = _mine.set(mine)
    try:
        yield take(mine)
    finally:
        _mine.reset(token)
        _release(mine)


def _wait_for(mine: _Turn) -> bool:
    if _take(mine):
        return False
    notify(
        "another statement of this program trains or scores models, as one does at a time: this one waits for its end"
    )
    waiting = threading.Event()
    while not _take(mine):
        check()
        waiting.wait(POLL_SECONDS)
    return True


def _take(mine: _Turn) -> bool:
    global _holder
    with _lock:
        if _holder is None or _holder() is None:
            _holder = weakref.ref(mine)
        return _holder() is mine


def _release(mine: _Turn) -> None:
    global _holder
    if _holder is not None and _holder() is mine:  # nobody else takes it while that is so
        _holder = None


def _forget() -> None:
    """In a process that was forked: the threads that had the turn are not in it."""
    global _holder, _lock
    _holder, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
