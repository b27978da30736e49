"""What long work reports: bars and lines for people, by a `Display` or on standard error; log records for programs.

Each event and line is also a record of the logger ``modelstore.progress``, which writes nowhere unless the program
configures `logging`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from modelstore.visible import visible


class Display(Protocol):
    """What shows the reports of one thread's work."""

    def bar(self, total: float, description: str, unit: str) -> Any:
        """Begins a bar. It is used like one of tqdm's."""

    def emit(self, event: object) -> None:
        """Shows an event of `modelstore.events`."""

    def notify(self, message: str) -> None:
        """Shows a line."""


Listener = Callable[[object], None]

_display: ContextVar[Display | None] = ContextVar("display", default=None)
_default: Display | None = None  # of this process


def show_by_default(display: Display | None) -> None:
    """Has ``display`` show what is reported outside of `shown_by`, as in a notebook; None: standard error again."""
    global _default
    _default = display


def _current() -> Display | None:
    return _display.get() or _default


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, ``listener`` is called with each event that this thread's work reports, unless `unseen`."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def shown_by(display: Display) -> Iterator[None]:
    """Within the block, ``display`` shows what this thread's work reports."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


class _Nowhere:
    """Shows nothing."""

    def bar(self, total: float, description: str, unit: str) -> Any:
        from tqdm import tqdm

        return tqdm(total=total, disable=True)

    def emit(self, event: object) -> None:
        pass

    def notify(self, message: str) -> None:
        pass


@contextmanager
def unseen() -> Iterator[None]:
    """Within the block, nothing is shown, nor heard: it is a part of work that reports as a whole."""
    token = _listeners.set(())
    try:
        with shown_by(_Nowhere()):
            yield
    finally:
        _listeners.reset(token)


def progress(total: float, description: str, unit: str) -> Any:
    """Begins a bar: the display's, or tqdm's where there is no display.

    Parameters
    ----------
    total
        What `update` counts up to.
    description
        What the bar is of.
    unit
        What is counted, such as ``batch``.

    Returns
    -------
    Any
        A bar that is used like one of tqdm's.
    """
    display = _current()
    return bar(total, description, unit) if display is None else display.bar(total, description, unit)


def bar(total: float, description: str, unit: str) -> Any:
    """Begins a tqdm bar, which shows nothing where standard error is no terminal."""
    from tqdm import tqdm

    class Bar(tqdm):
        """Shows names of models and datasets, which may hold anything."""

        def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
            super().set_postfix_str(visible(s), refresh)

    return Bar(total=total, desc=visible(description), unit=unit, disable=None, file=sys.stderr, leave=False)


def emit(event: object) -> None:
    """Reports an event of `modelstore.events`: to the display, to listeners, and as a log record of level INFO."""
    import logging  # here, as few programs that open a database come to it

    logging.getLogger(__name__).info("%s", event)
    display = _current()
    if display is not None:
        display.emit(event)
    for listener in _listeners.get():
        listener(event)


def is_shown() -> bool:
    """Whether people see what is reported now."""
    return _current() is not None or sys.stderr.isatty()


def notify(message: str) -> None:
    """Reports a line, as a log record of level INFO and to people.

    The display shows it; without one, standard error does, above any bar, where it is a terminal.
    """
    import logging

    logging.getLogger(__name__).info("%s", message)
    display = _current()
    if display is not None:
        display.notify(message)
    elif sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(visible(message), file=sys.stderr)
