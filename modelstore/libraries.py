"""What transformers and the hub's client print and raise, made fit for the user's terminal."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock


class _Silence:
    """Keeps those libraries quiet while any thread asks for it: their settings are those of the whole process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asking: set[object] = set()
        self._restore = ExitStack()

    @contextmanager
    def kept(self) -> Iterator[None]:
        asking = object()
        try:
            with self._lock:
                self._asking.add(asking)
                if len(self._asking) == 1:
                    # Of two threads that each caught warnings, the one that ends last would leave them caught.
                    self._restore.enter_context(warnings.catch_warnings())
                    warnings.simplefilter("ignore")
                    self._restore.callback(_mute())
            yield
        finally:
            with self._lock:
                self._asking.discard(asking)
                if not self._asking:
                    self._restore.close()

    def forget(self) -> None:
        """In a process that was forked: the threads that asked are not in it."""
        self._lock = Lock()
        self._asking.clear()
        self._restore.close()


_silence = _Silence()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_silence.forget)


@contextmanager
def quiet() -> Iterator[None]:
    """A block of code in which those libraries print no log lines, load reports, progress bars or warnings.

    Their settings are restored afterwards, since the calling program may use the same libraries.
    """
    with _silence.kept():
        yield


def _mute() -> Callable[[], None]:
    """Turns their log lines and bars off; returns what restores their settings."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    level, hub_level = logging.get_verbosity(), hub_logging.get_verbosity()
    bars, hub_bars = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)
    hub_logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    disable_progress_bars()

    def restore() -> None:
        logging.set_verbosity(level)
        hub_logging.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()  # turns the hub's on too, hence the next line
            disable_progress_bars()
        if hub_bars:
            enable_progress_bars()

    return restore


def first_line(error: BaseException) -> str:
    """The first line of an error's message, to be quoted in another message; its class if it has no message."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
