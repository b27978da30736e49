"""Progress of long work: bars on standard error, where that is a terminal, or what a `Display` makes of it."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class Display(Protocol):
    """What shows progress in the place of bars."""

    def bar(self, total: float, description: str, unit: str) -> Any:
        """What is updated in the place of a tqdm bar, and is used like one."""

    def emit(self, event: object) -> None:
        """Something has happened: of a selection, what `modelstore.events` has."""

    def notify(self, message: str) -> None:
        """A line for people."""


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown_by(display: Display) -> Iterator[None]:
    """Within, the progress of this thread's work is shown by ``display``."""
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


def unseen() -> AbstractContextManager[None]:
    """Within, no progress is shown: it is that of a part of something larger, whose own is."""
    return shown_by(_Nowhere())


def progress(total: float, description: str, unit: str) -> Any:
    """A tqdm bar, silent when standard error is not a terminal, or the display's."""
    display = _display.get()
    return bar(total, description, unit) if display is None else display.bar(total, description, unit)


def bar(total: float, description: str, unit: str) -> Any:
    """A tqdm bar; it is silent when standard error is not a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit=unit, disable=None, file=sys.stderr, leave=False)


def emit(event: object) -> None:
    """Tells the display, if there is one, what has happened."""
    display = _display.get()
    if display is not None:
        display.emit(event)


def notify(message: str) -> None:
    """One line on standard error, above any bar that is shown; without a display, only where that is a terminal."""
    from tqdm import tqdm

    display = _display.get()
    if display is not None:
        display.notify(message)
    elif sys.stderr.isatty():
        tqdm.write(message, file=sys.stderr)
