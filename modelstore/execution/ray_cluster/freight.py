"""What is moved between this machine and a node: the files of models, and of runs.

Files are arrays of bytes in Ray's object store, which nodes map into memory. A folder that both sides share is used
as it is, and nothing is moved.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelstore.data import cache
from modelstore.data.fingerprint import files_of_model
from modelstore.data.made_models import make_directory
from modelstore.data.private_folder import fault_of
from modelstore.errors import ModelError

Files = Mapping[str, NDArray[np.uint8]]  # the bytes of files, by their paths within a folder
FOLDER = "moved"  # of the cache: the models that were moved to a node


def bytes_of(path: Path) -> NDArray[np.uint8]:
    """A file's bytes, mapped into memory."""
    if not path.stat().st_size:
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def files_in(folder: Path) -> Files:
    """All files of a folder."""
    return {
        str(path.relative_to(folder)): bytes_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def model_files(folder: Path) -> Files:
    """The files that a model is loaded from."""
    return {os.path.relpath(path, folder): bytes_of(Path(path)) for path in files_of_model(folder)}


def write_files(folder: Path, files: Files) -> None:
    """Writes files into a folder that is there. Raises ``OSError``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content.tofile(path)


@contextmanager
def probe_in(folder: Path) -> Iterator[Path]:
    """A file in a folder, by which another machine finds out whether it shares the folder; gone after the block."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".shared-", dir=folder)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        with suppress(OSError):
            os.unlink(name)


class MovedModels:
    """The models that were moved to this node, in the cache: those that were used least recently make room."""

    def __init__(self) -> None:
        self._folder = cache.folder() / FOLDER
        if (fault := fault_of(self._folder)) is not None:
            raise ModelError(
                f'models are moved to the folder "{self._folder}" of this node, which {fault}: set MODELSTORE_CACHE '
                "on the node to a folder of your own"
            )

    def find(self, digest: str) -> Path | None:
        """The directory of a model; None where it was not moved here."""
        path = self._folder / digest
        if not path.is_dir():
            return None
        with suppress(OSError):
            os.utime(path)
        return path

    def add(self, digest: str, files: Files) -> Path:
        """Writes a model; it appears complete or not at all."""
        path = self._folder / digest
        if not path.is_dir():
            self._make_room(sum(content.nbytes for content in files.values()))
            make_directory(path, lambda partial: write_files(partial, files))
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
