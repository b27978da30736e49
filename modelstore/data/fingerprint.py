"""Whether the files of a model or a dataset are what they were: by their states, or by what is in them."""

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from modelstore.data.hub import local_path

PIECES, PIECE = 256, 1 << 16  # of a large file that are read, and the bytes of each
# What a model is loaded from.
_OF_MODELS = (".json", ".txt", ".model", ".tiktoken", ".jinja", ".safetensors", ".bin")


def fingerprint(uri: str, kind: str) -> str | None:
    """A digest of the paths, sizes and times of change of the files at ``uri``: it changes when they do.

    Parameters
    ----------
    uri
        A path, or an address on the hub: then the files are those in the hub's cache, whose paths name the commit.
        The hub is not asked.
    kind
        ``model`` or ``dataset``.

    Returns
    -------
    str or None
        None where there are no files.
    """
    try:
        states = sorted(_states(local_path(uri, kind)))
    except OSError:
        return None
    return blake2b(repr(states).encode(), digest_size=16).hexdigest() if states else None


def _states(path: Path | str) -> Iterator[tuple[str, int, int]]:
    """Each file at ``path``: its path, size and time of change in nanoseconds."""
    if os.path.isfile(path):
        found = os.stat(path)
        yield str(path), found.st_size, found.st_mtime_ns
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _states(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns


def digest_of_states(paths: Iterable[str]) -> str:
    """A digest of the sizes and times of change of these files; those that are not there count as such."""
    digest = blake2b(digest_size=16)
    for path in paths:
        try:
            found = os.stat(os.path.expanduser(path))
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode("utf-8", "surrogatepass"))
        except (OSError, ValueError):
            digest.update(f"{path}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def digest_of_model(uri: str) -> str | None:
    """A digest of a model's files: of small ones as a whole, of large ones by pieces from all over them.

    Their times do not matter, nor where the directory is.

    Parameters
    ----------
    uri
        As in `fingerprint`.

    Returns
    -------
    str or None
        None where there are no files that can be read.
    """
    try:
        root = local_path(uri, "model")
        files = files_of_model(root)
        digest = blake2b(digest_size=16)
        for file in files:
            digest.update(f"{os.path.relpath(file, root)} {os.path.getsize(file)}".encode())
            _add_pieces(digest, file)
    except OSError:
        return None
    return digest.hexdigest() if files else None


def files_of_model(folder: Path | str) -> list[str]:
    """The files in a model's directory that it is loaded from, in the order of their paths."""
    return sorted(path for path, _, _ in _states(folder) if path.lower().endswith(_OF_MODELS))


def _add_pieces(digest: blake2b, file: str) -> None:
    size = os.path.getsize(file)
    with open(file, "rb") as stream:
        if size <= PIECES * PIECE:
            digest.update(stream.read())
            return
        for piece in range(PIECES):
            stream.seek((size - PIECE) * piece // (PIECES - 1))
            digest.update(stream.read(PIECE))
