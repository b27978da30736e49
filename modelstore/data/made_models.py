"""The directories in the cache that are made of models which transformers cannot load as they are."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from modelstore.data import cache
from modelstore.data.private_folder import fault_of
from modelstore.errors import ModelError

ADAPTER = "adapter_config.json"
_VERSION = 1  # of what is made; a directory of another version is made again
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Not linked: weights, of whatever kind, and what would make transformers read a base model instead.
_LEFT_OUT = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".ckpt")


def directory_in_cache(sources: list[Path]) -> Path:
    """The directory in the cache of what is made of these directories, as their files are now."""
    states = [
        (str(entry), entry.stat().st_size, entry.stat().st_mtime_ns)
        for source in dict.fromkeys(sources)
        for entry in sorted(source.iterdir())
        if entry.is_file()
    ]
    models = cache.folder() / cache.MODELS
    if (fault := fault_of(models)) is not None:
        raise ModelError(
            f'the model has to be converted, and the cache folder for it, "{models}", {fault}: set '
            "MODELSTORE_CACHE to a folder of your own"
        )
    digest = blake2b(repr((_VERSION, [str(source) for source in sources], states)).encode(), digest_size=16)
    return models / digest.hexdigest()


def make_directory(target: Path, fill: Callable[[Path], None]) -> None:
    """Makes the directory ``target``, which appears complete or not at all; another process may make it first.

    Parameters
    ----------
    target
        The new directory.
    fill
        Writes the files into the directory that it is given.

    Raises
    ------
    ModelError
        If the disk is full, or cannot be written.
    """
    partial: Path | None = None
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=target.parent, suffix=".partial"))
        fill(partial)
        with suppress(FileExistsError):
            _rename(partial, target)
    except OSError as error:
        why = "the disk is full" if error.errno in _FULL else str(error)
        raise ModelError(
            f"the model cannot be written to {target.parent} ({why}): free space there, or set "
            "MODELSTORE_CACHE to a folder on another disk"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def link_settings(source: Path, directory: Path) -> None:
    """Links the files of ``source`` but weights and config.json into ``directory``, in place of those there."""
    for entry in source.iterdir():
        if entry.is_dir() or entry.name in ("config.json", ADAPTER) or _is_of_weights(entry.name):
            continue
        link = directory / entry.name
        link.unlink(missing_ok=True)
        link.symlink_to(entry.resolve())


def _is_of_weights(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(_LEFT_OUT) or ".safetensors.index" in lower or ".bin.index" in lower


def _rename(partial: Path, target: Path) -> None:
    try:
        os.rename(partial, target)
    except OSError as error:
        if not target.is_dir():
            raise
        raise FileExistsError(str(target)) from error
