"""What takes time elsewhere is begun before its turn comes: requests of the hub, several at a time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextvars import copy_context
from typing import TypeVar

from modelstore.interruption import check

AT_ONCE = 16
_AHEAD = 4 * AT_ONCE  # that wait for their turn, or are at work
_POLL_SECONDS = 0.1

Item = TypeVar("Item")
Result = TypeVar("Result")


def done_ahead(
    items: Iterable[Item], do: Callable[[Item], Result]
) -> Generator[tuple[Item, Callable[[], Result]]]:
    """Does something with each item, `AT_ONCE` of them at a time on threads of their own.

    Parameters
    ----------
    items
        The items.
    do
        What is done; it must leave the statement's DuckDB connection alone.

    Yields
    ------
    tuple
        Each item, in order, with a function that returns what was done, or raises its error. What was not begun when
        the caller stops is not done.
    """
    threads = ThreadPoolExecutor(AT_ONCE, "modelstore-ahead")
    begun: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            begun.append((item, threads.submit(copy_context().run, do, item)))
            if len(begun) == _AHEAD:
                yield _next(begun)
        while begun:
            yield _next(begun)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _next(begun: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Callable[[], Result]]:
    item, future = begun.popleft()
    while not future.done():
        check()
        try:
            future.exception(_POLL_SECONDS)
        except NotYet:
            continue
    return item, future.result
