"""Folders that are not on this machine's disk: those that fsspec reads, by urls such as ``s3://bucket/folder``.

`path_at` gives paths with the methods of `pathlib.Path`. A file is written and read through a copy on this disk.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Union

from modelstore.errors import StoreError, reason_of
from modelstore.libraries import first_line

if TYPE_CHECKING:
    from upath import UPath

AnyPath = Union[Path, "UPath"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_ON_DISK = ("file", "local")


def is_remote(uri: str) -> bool:
    """Whether ``uri`` is an url of what is not on this machine's disk, nor on the hub."""
    found = _URL.match(uri)
    return found is not None and found[1].lower() not in (*_ON_DISK, "hf")


def without_scheme(uri: str) -> str:
    """``uri``, or the path of a ``file://`` url."""
    found = _URL.match(uri)
    return found[2] if found is not None and found[1].lower() in _ON_DISK else uri


def path_at(uri: str) -> AnyPath:
    """The path at an url, or on this machine's disk.

    Raises
    ------
    StoreError
        If what reads such an url is not installed, or nothing does.
    """
    if not is_remote(uri):
        return Path(without_scheme(uri)).absolute()
    try:
        from upath import UPath
    except ImportError:
        raise StoreError(
            f"{uri} needs universal_pathlib, which is not installed: pip install 'modelstore[remote]'"
        ) from None
    try:
        # Other processes write there too, so that what was listed before says little.
        path = UPath(uri, use_listings_cache=False)
        assert path.fs is not None  # or it raises
    except Exception as error:
        raise StoreError(f"{uri} is no folder that can be used ({first_line(error)})") from error
    return path


def reachable_by_processes(path: AnyPath) -> bool:
    """Whether other processes of this machine find the same there."""
    return isinstance(path, Path) or path.protocol != "memory"


def remove_tree(path: AnyPath) -> None:
    """Removes a directory with all that is inside; what cannot be removed stays."""
    if isinstance(path, Path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(Exception):
            path.fs.rm(path.path, recursive=True)


def measure(path: UPath) -> tuple[int, float]:
    """The bytes of a file, or of all in a folder, and the time of the last change, in seconds of the epoch."""
    with as_os_errors():
        files = path.fs.find(path.path, detail=True)
        times = [path.fs.modified(name).timestamp() for name in files]
    return sum(int(found["size"] or 0) for found in files.values()), max(times, default=0.0)


@contextmanager
def on_disk(path: AnyPath) -> Iterator[Path]:
    """A block with a file that is on this disk: ``path`` itself, or a copy of it; raises OSError."""
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        with as_os_errors():
            path.fs.get_file(path.path, str(copy))
        yield copy


@contextmanager
def uploaded_file(path: UPath, partial: UPath) -> Iterator[Path]:
    """A block that writes a file on this disk, which becomes ``path`` by way of ``partial``; raises OSError."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, path.name)
        yield written
        with _removed_on_failure(partial):
            path.fs.makedirs(path.parent.path, exist_ok=True)
            path.fs.put_file(str(written), partial.path)
            path.fs.mv(partial.path, path.path)


@contextmanager
def uploaded_directory(directory: UPath, partial: UPath) -> Iterator[Path]:
    """As `uploaded_file`, for a directory, which is there in the block."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, directory.name)
        written.mkdir()
        yield written
        with _removed_on_failure(partial):
            for file in sorted(written.rglob("*")):
                if file.is_file():
                    target = partial / file.relative_to(written).as_posix()
                    target.fs.makedirs(target.parent.path, exist_ok=True)
                    target.fs.put_file(str(file), target.path)
            directory.fs.mv(partial.path, directory.path, recursive=True)


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Libraries of clouds raise errors of their own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(reason_of(error)) from error


@contextmanager
def _removed_on_failure(partial: UPath) -> Iterator[None]:
    try:
        with as_os_errors():
            yield
    except BaseException:
        remove_tree(partial)
        raise
