"""Files and directories that appear complete or not at all.

What is under way has another name, with the process that writes it, by which leftovers of a kill are known.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = re.compile(r"\.?(?P<name>.+)\.(?P<process>\d+)\.partial")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A block that writes a file by another name, which takes the place of ``path`` at its end; raises OSError."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_directory(directory: Path) -> Iterator[Path]:
    """A block that fills a directory by another name, which becomes ``directory`` at its end; raises OSError."""
    partial = directory.with_name(f".{directory.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
