"""Renews a report's file as the selections of this process go on.

Another process cannot read a database that is open for writing, so this is done where the selection runs: at its
beginning, after each of its stages, and at the end of the statement.
"""

import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from modelstore.errors import INTERRUPTIONS, reason_of
from modelstore.events import Began, Decided
from modelstore.progress import notify
from modelstore.report.html import write

RENEW = 5.0  # seconds after which the page loads itself again while a statement runs
PAUSE = 20  # times what the last page took to make: so long no other is made, for it delays the selection


class Watcher:
    """Renews a file.

    Parameters
    ----------
    path
        The file.
    make
        Makes the page's HTML, which loads itself again after so many seconds; None: never.
    """

    def __init__(self, path: Path, make: Callable[[float | None], str]):
        self._path = path
        self._make = make
        self._not_before = 0.0
        self._gave_up = False

    def on_event(self, event: object) -> None:
        """Renews the file where a selection has begun or finished a stage."""
        if isinstance(event, Began | Decided) and time.monotonic() >= self._not_before:
            self._renew(RENEW)

    def on_end(self) -> None:
        """Writes the page as it is after a statement: it no longer loads itself again."""
        self._renew(None)

    def _renew(self, every: float | None) -> None:
        """Renews the file. Where that fails, it says so once: a selection does not end for want of a page."""
        if self._gave_up:
            return
        began = time.monotonic()
        try:
            write(self._make(every), self._path)
        except INTERRUPTIONS:
            raise
        except (
            duckdb.TransactionException
        ):  # an error has aborted the user's own: nothing can be read until it ends
            pass
        except (duckdb.Error, OSError) as error:
            self._gave_up = True
            notify(f"the report is not renewed any more: {reason_of(error)}")
        now = time.monotonic()
        self._not_before = now + PAUSE * (now - began)
