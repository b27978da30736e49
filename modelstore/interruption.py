"""Stopping a statement from another thread: long work checks at each step whether it should go on.

Work that does not check in time, such as a library that builds a huge network, is ended by an error in its thread.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import duckdb

PATIENCE = 0.8  # seconds in which work may stop by itself

_current: ContextVar[tuple[threading.Event, ...]] = ContextVar("interruption", default=())


class Forced(KeyboardInterrupt):
    """Ends work that was interrupted and did not stop by itself; no ``except Exception`` of a library takes it."""


class Interruption(threading.Event):
    """Whether some work is to stop: set, its threads stop at their next `check`. See also `interrupt`.

    Attributes
    ----------
    is_urgent
        Whether what does not stop in `PATIENCE` seconds may be ended, and what it has computed be lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_urgent = False
        self._lock = threading.Lock()
        self._threads: dict[int, object] = {}  # those at work, each with what tells one block from the next
        self._noticed: set[int] = set()  # those that stop by themselves
        self._forced: set[int] = set()  # those that an error was raised in
        self._kills: list[Callable[[], None]] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        """A block of work that this stops. A block within it is part of it."""
        thread = threading.get_ident()
        if thread in self._threads:
            yield
            return
        try:
            with self._lock:
                self._threads[thread] = object()
            with stopped_by(self):
                yield
        finally:
            self._end(thread)

    def clear(self) -> None:
        """Lets work begin."""
        super().clear()
        self.is_urgent = False

    def interrupt(self) -> None:
        """Stops the work: it is asked to stop, and ended where it has not begun to after `PATIENCE` seconds."""
        self.is_urgent = True
        self.set()
        with self._lock:
            at_work = dict(self._threads)
        if at_work:
            threading.Thread(target=self._force_later, args=(at_work,), daemon=True).start()

    def end_other_threads(self, patience: float) -> None:
        """Interrupts the work of other threads, and waits for its end, at most ``patience`` seconds."""
        if not self._others_at_work():
            return
        self.interrupt()
        deadline = time.monotonic() + patience
        while self._others_at_work() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _others_at_work(self) -> bool:
        with self._lock:
            return bool(self._threads.keys() - {threading.get_ident()})

    def force(self) -> None:
        """Ends the work of all threads: those that wait for another process lose it."""
        with self._lock:
            for kill in self._kills:
                kill()
            for thread in self._threads:
                self._raise_in(thread)

    def notice(self) -> None:
        """Takes note that this thread stops by itself."""
        self._noticed.add(threading.get_ident())

    @contextmanager
    def ended_by(self, kill: Callable[[], None]) -> Iterator[None]:
        """A block that waits for something else, which ``kill`` ends."""
        with self._lock:
            self._kills.append(kill)
        try:
            yield
        finally:
            with self._lock:
                self._kills.remove(kill)

    def _force_later(self, at_work: dict[int, object]) -> None:
        time.sleep(PATIENCE)
        with self._lock:
            left = [thread for thread, block in at_work.items() if self._threads.get(thread) is block]
            if not left:
                return  # what waits for another process now has begun since
            for kill in self._kills:
                kill()
            for thread in left:
                if thread not in self._noticed:
                    self._raise_in(thread)

    def _raise_in(self, thread: int) -> None:
        """Raises `Forced` in a thread at its next step of Python."""
        self._forced.add(thread)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Forced))

    def _end(self, thread: int) -> None:
        """Ends this thread's block; an error that is still to be raised in it is not raised after it."""
        has_ended = False
        while True:
            try:
                with self._lock:
                    self._threads.pop(thread, None)
                has_ended = True
                self._noticed.discard(thread)
                if thread in self._forced:
                    # Taking it back would leave Python's flag for it set for good; raised once more, it replaces one
                    # that is still to come.
                    self._raise_in(thread)
                    while True:
                        pass
                return
            except Forced:
                if has_ended:
                    self._forced.discard(thread)
                    return


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
    stopping = [event for event in _current.get() if event.is_set()]
    if stopping:
        for event in stopping:
            if isinstance(event, Interruption):
                event.notice()
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")


def check_elsewhere() -> Callable[[], None]:
    """A `check` of this thread's work for threads of libraries that do a part of it."""
    stopping = _current.get()

    def check_there() -> None:
        if any(event.is_set() for event in stopping):
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")

    return check_there


def is_urgent() -> bool:
    """Whether this thread's work is to stop at once, whatever is lost by it."""
    return any(isinstance(event, Interruption) and event.is_urgent for event in _current.get())


@contextmanager
def ended_by(kill: Callable[[], None]) -> Iterator[None]:
    """A block that waits for something else; ``kill`` ends that where an interruption is not heard in time."""
    with ExitStack() as stack:
        for event in _current.get():
            if isinstance(event, Interruption):
                stack.enter_context(event.ended_by(kill))
        yield


@contextmanager
def forced_is_interrupted() -> Iterator[None]:
    """Within the block, work that had to be ended raises ``duckdb.InterruptException``, as work that stopped does."""
    try:
        yield
    except Forced as error:
        raise duckdb.InterruptException(f"INTERRUPT Error: Interrupted! {error}".strip()) from None


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
