"""The terminal that the shell runs in: its width, whether it can erase, and its echo."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any


def width_of(out: IO[Any]) -> int | None:
    """The cells of a line of the terminal; None where ``out`` is a file or a pipe."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def can_erase(out: IO[Any]) -> bool:
    """Whether ``out`` is a terminal that can erase what was written."""
    return out.isatty() and os.environ.get("TERM") not in ("dumb", "")


@contextmanager
def without_echo() -> Iterator[None]:
    """Within the block, the terminal does not echo what is typed; the next prompt receives it."""
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
