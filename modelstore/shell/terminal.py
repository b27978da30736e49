"""What the shell knows of the terminal that it is in: its width, what it can do, and its echo of what is typed."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any


def width_of(out: IO[Any]) -> int | None:
    """How many cells a line of the terminal has; None where ``out`` is a file or a pipe."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def can_erase(out: IO[Any]) -> bool:
    """Whether what is written to ``out`` can be taken away again: it is a terminal, and no dumb one."""
    return out.isatty() and os.environ.get("TERM") not in ("dumb", "")


@contextmanager
def without_echo() -> Iterator[None]:
    """Within, what is typed ahead does not show amid what is written; the next prompt is given it."""
    try:
        import termios  # not on Windows

        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
    except (ImportError, ValueError, OSError):
        yield
        return
    except termios.error:  # no terminal
        yield
        return
    silent = [*before]
    silent[3] &= ~termios.ECHO  # among the local modes
    termios.tcsetattr(keyboard, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
