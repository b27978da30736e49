"""Models in folders that are not on this machine's disk, which are loaded from a copy that is."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from modelstore.data.moved_models import MovedModels
from modelstore.data.remote import as_os_errors, path_at


def copied_model(uri: str) -> Path:
    """The copy on this machine of a model's directory, as it is there now; what is not here is fetched.

    Raises
    ------
    OSError
        If there is no such directory, or it cannot be read.
    StoreError, ModelError
        As `path_at` and `MovedModels` do.
    """
    source = path_at(uri)
    assert not isinstance(source, Path)
    fs = source.fs
    with as_os_errors():
        files = fs.find(source.path, detail=True)
        states = [(name, found["size"], str(fs.modified(name))) for name, found in sorted(files.items())]
    if not states or source.path in files:
        raise FileNotFoundError(f"{uri} is no directory")
    models = MovedModels()
    key = blake2b(repr((uri, states)).encode(), digest_size=16).hexdigest()
    if (found := models.find(key)) is not None:
        return found

    def fetch(target: Path) -> None:
        with as_os_errors():
            for name in files:
                copy = target / Path(name).relative_to(source.path.rstrip("/"))
                copy.parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(name, str(copy))

    return models.add(key, sum(int(found["size"] or 0) for found in files.values()), fetch)
