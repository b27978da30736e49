"""Whether the files of a model or a dataset are what they were, without reading them."""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from modelstore.data.hub import local_path


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
