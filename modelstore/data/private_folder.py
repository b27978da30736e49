"""Folders that this user alone may write to, and a secret in them: a cache that another user made could lie."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_KEY = "key"
_KEY_BYTES = 32


def fault_of(folder: Path) -> str | None:
    """Why a folder is not to be trusted; None where it is, or is not there yet, or the system has no owners."""
    if not hasattr(os, "geteuid"):
        return None
    try:
        state = os.lstat(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if not stat.S_ISDIR(state.st_mode):
        return "is no directory"
    if state.st_uid != os.geteuid():
        return "belongs to another user"
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written to by other users"
    return None


def secret_of(folder: Path) -> bytes:
    """The secret in a folder, which is made where there is none.

    Raises
    ------
    OSError
        If it cannot be read or made, or could be known to others.
    """
    file = folder / _KEY
    for _ in range(2):
        with suppress(FileNotFoundError):
            return _read(file)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=folder, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as new:
                new.write(secrets.token_bytes(_KEY_BYTES))
            with suppress(FileExistsError):  # another process made it meanwhile
                os.link(partial, file)
        finally:
            os.unlink(partial)
    return _read(file)


def remove_secret(folder: Path) -> None:
    """Removes the secret; what it has signed holds no longer."""
    (folder / _KEY).unlink(missing_ok=True)


def _read(file: Path) -> bytes:
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(stream.fileno())
        key = stream.read(_KEY_BYTES + 1)
    is_own = not hasattr(os, "geteuid") or (state.st_uid == os.geteuid() and not state.st_mode & 0o077)
    if not is_own or len(key) != _KEY_BYTES:
        raise PermissionError(f"{file} is not this user's own")
    return key
