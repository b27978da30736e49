"""A cache on disk of tokens and pixels: models with the same tokenizer, or the same image processor, share them.

Entries are Arrow files in the folder `MODELSTORE_CACHE` (by default the platform's folder for caches), each with a
digest of its content at its end, which is keyed by a secret of this user; a folder of another user is not used.
Together they take at most `MODELSTORE_CACHE_SIZE` (by default 10GB; 0 keeps none): the entry that was used least
recently is removed first. Any number of processes may use one cache at a time.
Converted models (`model_directory`) are in a folder beside them, which has no limit.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelstore.data.private_folder import fault_of, remove_secret, secret_of
from modelstore.errors import StoreError
from modelstore.progress import notify
from modelstore.sizes import read_size

DEFAULT_SIZE = "10GB"
MODELS = "models"  # the subfolder of models that are converted; no limit of size applies to it
MOVED = "moved"  # the subfolder of models that came from elsewhere, with a limit of its own
_SUBFOLDER = "prepared"  # nothing outside it is removed to keep the limit
_DIGEST = 16  # bytes
_distrusted: set[Path] = set()  # folders of which it is said already that they are not used


def folder() -> Path:
    """The folder of the cache; it need not exist yet."""
    if given := os.environ.get("MODELSTORE_CACHE"):
        return Path(given).expanduser()
    from platformdirs import user_cache_path  # not before it is needed: `import modelstore` is to be fast

    return user_cache_path("modelstore", appauthor=False)


def size_limit() -> int:
    """The bytes that all entries together may take.

    Raises
    ------
    StoreError
        If `MODELSTORE_CACHE_SIZE` is not a size.
    """
    text = os.environ.get("MODELSTORE_CACHE_SIZE") or DEFAULT_SIZE
    limit = read_size(text)
    if limit is None:
        raise StoreError(
            f"MODELSTORE_CACHE_SIZE is '{text}': give a size such as 10GB or 500MB, or 0 to keep nothing"
        )
    return limit


def clear() -> None:
    """Removes every entry from the cache, and every model converted or moved here; all is made again when needed."""
    for models in (MODELS, MOVED):
        shutil.rmtree(folder() / models, ignore_errors=True)
    for path in _files():
        path.unlink(missing_ok=True)
    with suppress(OSError):
        remove_secret(folder())
        (folder() / _SUBFOLDER).rmdir()


def key(identity: Iterable[Any], table: pa.Table) -> str:
    """The name of an entry: a digest of what it is computed from.

    Parameters
    ----------
    identity
        The settings, as strings and numbers.
    table
        The columns, of text or binaries. Equal columns have equal digests, however they are cut into chunks.
    """
    import pyarrow.compute as pc  # not before it is needed: `import modelstore` is to be fast

    digest = blake2b(repr(list(identity)).encode(), digest_size=_DIGEST)
    for name in table.column_names:
        chunks = table.column(name).cast(pa.large_binary()).chunks
        digest.update(f"{name}:{table.num_rows}".encode())
        for chunk in chunks:
            digest.update(pc.binary_length(chunk).to_numpy())
        for chunk in chunks:
            _, offsets, content = chunk.buffers()
            if content is not None:
                ends = memoryview(offsets).cast("q")
                digest.update(content[ends[chunk.offset] : ends[chunk.offset + len(chunk)]])
    return digest.hexdigest()


def load_or_compute(name: str, compute: Callable[[], pa.Table]) -> pa.Table:
    """Reads the entry ``name``; where it is missing or damaged, computes it and keeps it."""
    path = folder() / _SUBFOLDER / f"{name}.arrow"
    limit = size_limit()
    secret = _secret(path.parent) if limit else None
    if secret is None:
        return compute()
    if (table := _read(path, secret)) is not None:
        return table
    table = compute()
    if table.nbytes < limit:
        with suppress(OSError):  # a cache that cannot be written saves nothing, and does no harm
            _write(path, table, secret)
            _evict(limit)
    return table


def _secret(entries: Path) -> bytes | None:
    """What keys the digests; None where the folder cannot be trusted or written, and nothing is kept."""
    if (fault := fault_of(entries)) is not None:
        if entries not in _distrusted:
            _distrusted.add(entries)
            notify(f'the cache folder "{entries}" {fault}, and is not used: set MODELSTORE_CACHE to your own')
        return None
    try:
        return secret_of(folder())
    except OSError:
        return None


def _digest_of(content: pa.Buffer, secret: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST, key=secret).digest()


def _read(path: Path, secret: bytes) -> pa.Table | None:
    """An entry, mapped into memory; None where it is missing or damaged."""
    try:
        with pa.memory_map(str(path)) as file:
            content = file.read_buffer()
        table, digest = content[:-_DIGEST], content[-_DIGEST:].to_pybytes()
        if not compare_digest(_digest_of(table, secret), digest):
            return None
        os.utime(path)
        return pa.ipc.open_stream(table).read_all()
    except (OSError, pa.ArrowException):
        return None


def _write(path: Path, table: pa.Table, secret: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    partial = Path(name)
    try:
        os.close(handle)
        with pa.OSFile(name, "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
        with pa.memory_map(name) as file:
            digest = _digest_of(file.read_buffer(), secret)
        with partial.open("ab") as end:
            end.write(digest)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _evict(limit: int) -> None:
    """Removes the files that were used least recently until the rest are within the limit, in bytes."""
    states = []
    for path in _files():
        with suppress(OSError):  # another process has removed it
            states.append((path.stat(), path))
    total = sum(state.st_size for state, _ in states)
    for state, path in sorted(states, key=lambda entry: entry[0].st_mtime_ns):
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= state.st_size


def _files() -> list[Path]:
    return [path for end in ("arrow", "partial") for path in (folder() / _SUBFOLDER).glob(f"*.{end}")]
