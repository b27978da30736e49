"""Whether the files of a model or a dataset are what they were, without reading them."""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path


def fingerprint(uri: str, kind: str) -> str | None:
    """What changes when the files at ``uri`` do: a digest of their paths, sizes and times of change.

    ``kind`` is 'model' or 'dataset'. Of ``hf://owner/name[@revision]`` it is of the files in the hub's cache,
    whose paths tell the commit; the hub is not asked. None where there are none.
    """
    try:
        path = _in_cache(uri, kind) if uri.startswith("hf://") else Path(uri).expanduser().absolute()
        states = sorted(_states(path))
    except OSError:
        return None
    return blake2b(repr(states).encode(), digest_size=16).hexdigest() if states else None


def _in_cache(uri: str, kind: str) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = uri.removeprefix("hf://").removeprefix("datasets/").partition("@")
    return Path(snapshot_download(name, repo_type=kind, revision=revision or None, local_files_only=True))


def _states(path: Path | str) -> Iterator[tuple[str, int, int]]:
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
