"""Reads files of others within bounds: only regular files, and only as many bytes as there is a use for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_bounded(path: Path | str, most: int) -> bytes:
    """The content of a regular file; pipes and devices, which may have no end, are not read.

    Parameters
    ----------
    path
        The file.
    most
        The bytes that it may have.

    Raises
    ------
    OSError
        If it is no regular file, is larger, or cannot be read.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(
                errno.EFBIG, f"it has {size:,} bytes, more than the {most:,} that are read", str(path)
            )
        return file.read(size)  # Python makes room for as many as it is asked for


def read_beginning(path: Path | str, most: int) -> tuple[bytes, bool]:
    """The first bytes of a regular file, at most so many, and whether there are more; as `read_bounded`."""
    with _opened(path) as file:
        content = file.read(most)
        return content, bool(file.read(1))


def _opened(path: Path | str) -> BinaryIO:
    """A regular file opened for reading. A pipe that nobody writes to is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a NUL in the path, or what is no text
        raise OSError(errno.EINVAL, "it is no path", str(path)) from error
    file = open(descriptor, "rb")  # noqa: SIM115 - the caller closes it
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return file
