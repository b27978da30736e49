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

from modelstore.data.remote import AnyPath, uploaded_directory, uploaded_file

PARTIAL = re.compile(r"\.?(?P<name>.+)\.(?P<process>\d+)\.partial")


@contextmanager
def whole_file(path: AnyPath) -> Iterator[Path]:
    """A block that writes a file by another name, which takes the place of ``path`` at its end; raises OSError."""
    name = f"{path.name}.{os.getpid()}.partial"
    if not isinstance(path, Path):
        with uploaded_file(path, path.with_name(name)) as written:
            yield written
        return
    partial = path.with_name(name)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_directory(directory: AnyPath) -> Iterator[Path]:
    """A block that fills a directory by another name, which becomes ``directory`` at its end; raises OSError."""
    name = f".{directory.name}.{os.getpid()}.partial"
    if not isinstance(directory, Path):
        with uploaded_directory(directory, directory.with_name(name)) as written:
            yield written
        return
    partial = directory.with_name(name)
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
