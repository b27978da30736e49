"""The models that modelstore has fetched from the hub, and a limit on the disk that they take in its cache.

Each has a note in a folder of modelstore's cache: a file that is named by its repository and commit, holds its bytes,
and was changed last when the model was last used. A process that uses the model, or fetches it, holds a lock of the
note. Models that are in the hub's cache without a note came there otherwise, and are never removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from modelstore.data import cache
from modelstore.data.made_models import directory_in_cache
from modelstore.data.private_folder import fault_of
from modelstore.data.sentence_transformers import transformer_folder
from modelstore.errors import ModelError, StoreError, first_of, reason_of
from modelstore.progress import notify
from modelstore.sizes import read_size, size

LIMIT = "MODELSTORE_CACHE_LIMIT"
_NAMED = 3  # of removed models; others are counted


@dataclass(frozen=True)
class _Note:
    """A model that was fetched: its note, its files in the hub's cache, their bytes, and when it was last used."""

    file: Path
    snapshot: Path
    bytes: int
    used: int

    @property
    def repository(self) -> str:
        return self.file.name.rpartition("@")[0].removeprefix("models--").replace("--", "/")


class Fetch:
    """One fetch of a model, for `hub_download.fetch`: it makes room first, and locks what is being fetched.

    Parameters
    ----------
    uri
        The model's address, for errors.
    """

    def __init__(self, uri: str):
        self._uri = uri
        self._locks = ExitStack()

    def __enter__(self) -> Fetch:
        return self

    def __exit__(self, *_: object) -> None:
        self._locks.close()

    def prepare(self, repository: str, commit: str, sizes: Mapping[str, int | None]) -> None:
        """Makes room for files of a repository, and notes that they are fetched, unless all of them are there.

        Parameters
        ----------
        repository, commit
            What is fetched.
        sizes
            The bytes of each of its files, None where the hub does not say.

        Raises
        ------
        ModelError
            If there is no room within the limit, or it cannot be kept to.
        StoreError
            If the limit is not a size.
        """
        note = _note(repository, commit)
        snapshot = _snapshot(note)
        self._locks.enter_context(in_use(repository, commit))
        if all((snapshot / name).exists() for name in sizes):
            return
        if snapshot.is_dir() and not note.is_file():
            return  # another program has fetched some of it
        needed, limit = sum(filter(None, sizes.values())), _limit()
        try:
            with _alone():
                if limit is not None:
                    _make_room(needed, limit, self._uri, note)
                note.write_text(str(needed))
                self._locks.enter_context(in_use(repository, commit))
        except OSError as error:
            if limit is not None:  # otherwise a note that is lacking does no harm
                raise ModelError(
                    f"model {self._uri} is not fetched, since {LIMIT} takes notes of what was fetched, which cannot "
                    f"be written ({reason_of(error)}): set MODELSTORE_CACHE to a folder of your own"
                ) from error


def note_use(repository: str, commit: str) -> None:
    """Notes that a model is used now, if modelstore has fetched it."""
    with suppress(OSError):
        os.utime(_note(repository, commit))


@contextmanager
def in_use(repository: str, commit: str) -> Iterator[None]:
    """A block in which a model that modelstore has fetched is not removed."""
    with ExitStack() as locks:
        with suppress(OSError):  # it came otherwise, or has just been removed
            locks.enter_context(_locked(_note(repository, commit), fcntl.LOCK_SH))
        yield


def _limit() -> int | None:
    """The bytes that fetched models may take together; None: any. Raises ``StoreError`` where it is no size."""
    text = os.environ.get(LIMIT)
    if not text:
        return None
    limit = read_size(text)
    if limit is None:
        raise StoreError(f"{LIMIT} is '{text}': give a size such as 50GB, or leave it out for no limit")
    return limit


def _folder() -> Path:
    """Where the notes on the hub's cache are."""
    from huggingface_hub import constants

    key = blake2b(os.path.realpath(constants.HF_HUB_CACHE).encode(), digest_size=8).hexdigest()
    return cache.folder() / "fetched" / key


def _note(repository: str, commit: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return _folder() / f"{repo_folder_name(repo_id=repository, repo_type='model')}@{commit}"


def _snapshot(note: Path) -> Path:
    """The model's directory in the hub's cache."""
    from huggingface_hub import constants

    name, _, commit = note.name.rpartition("@")
    return Path(constants.HF_HUB_CACHE) / name / "snapshots" / commit


@contextmanager
def _alone() -> Iterator[None]:
    """A block in which no other thread or process makes room, or begins a fetch. Raises ``OSError``."""
    folder = _folder()
    if (fault := fault_of(folder)) is not None:
        raise PermissionError(f"{folder} {fault}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = folder / "lock"
    lock.touch()
    with _locked(lock, fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(file: Path, kind: int) -> Iterator[None]:
    """A block with a lock of a file. Raises ``OSError`` where the file is not there, or LOCK_NB finds it locked."""
    handle = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)


def _make_room(needed: int, limit: int, uri: str, new: Path) -> None:
    """Removes models that are not in use, the one used least recently first, until a new one is within the limit."""
    notes = [note for note in _notes() if note.file != new]
    excess = needed + sum(note.bytes for note in notes) - limit
    if excess <= 0:
        return
    with ExitStack() as locks:
        chosen: list[_Note] = []
        for note in sorted(notes, key=lambda one: one.used):
            if excess <= 0:
                break
            with suppress(OSError):  # in use
                locks.enter_context(_locked(note.file, fcntl.LOCK_EX | fcntl.LOCK_NB))
                chosen.append(note)
                excess -= note.bytes
        if excess > 0:
            raise ModelError(
                f"model {uri} is not fetched, since it takes {size(needed)}, and {LIMIT} of {size(limit)} leaves "
                f"{size(max(0, needed - excess))} beside the models in use: raise it, or use fewer at once"
            )
        for note in chosen:
            _remove(note)
    names = first_of([note.repository for note in chosen], _NAMED)
    notify(
        f"{names}: removed from the hub's cache to keep to {LIMIT}, {size(sum(note.bytes for note in chosen))} that "
        "were used least recently; what is needed again is fetched again"
    )


def _notes() -> list[_Note]:
    """The models that were fetched and are still there, or on their way; the notes of others are removed."""
    found = []
    for file in _folder().glob("models--*@*"):
        snapshot = _snapshot(file)
        with suppress(OSError, ValueError):
            if snapshot.is_dir() or _is_locked(file):
                found.append(_Note(file, snapshot, int(file.read_text()), file.stat().st_mtime_ns))
            else:
                file.unlink()
    return found


def _is_locked(file: Path) -> bool:
    try:
        with _locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def _remove(note: _Note) -> None:
    """Removes a model from the hub's cache, with what was made of it, and its note."""
    from huggingface_hub import constants, scan_cache_dir

    with suppress(OSError, ModelError):
        made = directory_in_cache([note.snapshot, transformer_folder(note.snapshot)])
        shutil.rmtree(made, ignore_errors=True)
    scanned = scan_cache_dir(constants.HF_HUB_CACHE)
    own = frozenset(repo for repo in scanned.repos if repo.repo_path == note.snapshot.parents[1])
    replace(scanned, repos=own).delete_revisions(note.snapshot.name).execute()
    note.file.unlink(missing_ok=True)
