"""Models that were moved to this machine: in the cache, where those used least recently make room for others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from modelstore.data import cache
from modelstore.data.made_models import make_directory
from modelstore.data.private_folder import fault_of
from modelstore.errors import ModelError


class MovedModels:
    """The folder of the cache with models from elsewhere, each by a key of what it is.

    Raises
    ------
    ModelError
        If the folder is not to be trusted.
    """

    def __init__(self) -> None:
        self._folder = cache.folder() / cache.MOVED
        if (fault := fault_of(self._folder)) is not None:
            raise ModelError(
                f'models are moved to the folder "{self._folder}" of this machine, which {fault}: set '
                "MODELSTORE_CACHE here to a folder of your own"
            )

    def find(self, key: str) -> Path | None:
        """The directory of a model; None where it was not moved here."""
        path = self._folder / key
        if not path.is_dir():
            return None
        with suppress(OSError):
            os.utime(path)
        return path

    def add(self, key: str, size: int, write: Callable[[Path], None]) -> Path:
        """Writes a model, which appears complete or not at all.

        Parameters
        ----------
        key
            What it will be found by.
        size
            Its bytes.
        write
            Writes its files into a directory.

        Raises
        ------
        ModelError
            If the disk is full, or cannot be written.
        """
        path = self._folder / key
        if not path.is_dir():
            self._make_room(size)
            make_directory(path, write)
        return path

    def _make_room(self, needed: int) -> None:
        """Removes models, the one used least recently first, until all of them and a new one are within the limit."""
        held = [(path.stat().st_mtime, path, _size(path)) for path in self._entries()]
        total = needed + sum(size for _, _, size in held)
        for _, path, size in sorted(held):
            if total <= cache.size_limit():
                return
            shutil.rmtree(path, ignore_errors=True)
            total -= size

    def _entries(self) -> Sequence[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
