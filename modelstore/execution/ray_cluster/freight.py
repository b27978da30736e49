"""What is moved between this machine and a node: the files of models, and of runs.

Files are arrays of bytes in Ray's object store, which nodes map into memory. A folder that both sides share is used
as it is, and nothing is moved.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelstore.data.fingerprint import files_of_model
from modelstore.data.remote import AnyPath

Files = Mapping[str, NDArray[np.uint8]]  # the bytes of files, by their paths within a folder


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
def probe_in(folder: AnyPath) -> Iterator[AnyPath]:
    """A file in a folder, by which another machine finds out whether it shares the folder; gone after the block."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".shared-{secrets.token_hex(8)}"
    probe.touch(exist_ok=False)
    try:
        yield probe
    finally:
        with suppress(OSError):
            probe.unlink()
