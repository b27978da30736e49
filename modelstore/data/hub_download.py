"""Fetches repositories of the Hugging Face hub into its client's cache, and says in one sentence what prevents it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from shutil import disk_usage
from typing import Any

import duckdb

from modelstore.data.hub_client import (
    FULL,
    HubError,
    cause_of,
    no_long_waits,
    patiently,
    refused,
    status_of,
    stoppable_bar,
    without_token,
)
from modelstore.libraries import first_line, quiet

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubRecord:
    """How often a repository was downloaded in the last 30 days, and when it was last changed (UTC, no time zone).

    Each is None where the hub did not say.
    """

    downloads: int | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """A repository's directory in the cache, and what the hub said of it when it was asked for; None: nothing."""

    path: Path
    record: HubRecord = HubRecord()


def fetch(
    repository: str,
    revision: str | None,
    kind: str,
    wanted: Callable[[Sequence[str]], list[str]] | list[str],
    prepare: Callable[[str, str, Mapping[str, int | None]], None] | None = None,
) -> Snapshot:
    """Fetches files of a repository into the cache; where the hub cannot be reached, what is there serves.

    Parameters
    ----------
    repository
        ``owner/name``, or ``name``.
    revision
        A branch, a tag or a commit; the main branch if None.
    kind
        ``model`` or ``dataset``.
    wanted
        The glob patterns of the files to fetch, or what chooses them among the names of all files.
    prepare
        Called before the files are fetched that ``wanted`` has chosen, with the repository, the commit and the
        bytes of each file, None where the hub does not say. What it raises is raised.

    Returns
    -------
    Snapshot
        The files' directory in the cache, and the hub's record of the repository where ``wanted`` chose among its
        files.

    Raises
    ------
    HubError
        If the files cannot be fetched, nor are they in the cache.
    """
    from huggingface_hub import HfApi, snapshot_download

    names: list[str] | None = None
    record = HubRecord()
    try:
        with quiet(), no_long_waits():
            if callable(wanted):
                info = patiently(
                    lambda: HfApi().repo_info(
                        repository, revision=revision, repo_type=kind, files_metadata=prepare is not None
                    ),
                    repository,
                )
                record = record_of(info)
                sizes = {file.rfilename: file.size for file in info.siblings or []}
                names = wanted(list(sizes))
                if prepare is not None:
                    prepare(repository, str(info.sha), {name: sizes[name] for name in names})
            patterns = [escape(name) for name in names] if names is not None else wanted
            path = patiently(
                lambda: snapshot_download(
                    repository,
                    revision=revision,
                    repo_type=kind,
                    allow_patterns=patterns,
                    tqdm_class=stoppable_bar(),
                ),
                repository,
            )
            return Snapshot(Path(path), record)
    except Exception as error:  # the client raises many kinds: network, login, names, disk
        if isinstance(error, duckdb.Error):  # of `wanted`, or an interruption
            raise
        if callable(wanted) and not _is_final(error):
            cached = cached_snapshot(repository, revision, kind)
            if cached is not None and all((cached / name).exists() for name in names or []):
                return Snapshot(cached, record)
        raise HubError(
            reason_not_fetched(error, repository, revision, kind)
        ) from None  # it may hold the request's headers


def record_of(info: Any) -> HubRecord:
    """The hub's record in its answer about a repository."""
    changed = info.last_modified
    return HubRecord(
        info.downloads, None if changed is None else changed.astimezone(UTC).replace(tzinfo=None)
    )


def cached_snapshot(repository: str, revision: str | None, kind: str) -> Path | None:
    """The directory in the cache of a repository's files as they were last fetched; None where there is none."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type=kind)
    commit = revision or "main"
    reference = folder / "refs" / commit
    if _COMMIT.fullmatch(commit) is None:
        if not reference.is_file():
            return None
        commit = reference.read_text().strip()
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def free_disk() -> int:
    """The bytes that are free where the hub's cache is, or will be."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE).absolute()
    return disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def _is_final(error: Exception) -> bool:
    """Whether an answer of the hub leaves no question that the cache could answer."""
    from huggingface_hub.errors import HFValidationError, RevisionNotFoundError

    return isinstance(error, (RevisionNotFoundError, HFValidationError)) or (
        isinstance(error, OSError) and error.errno in FULL
    )


def reason_not_fetched(error: Exception, repository: str, revision: str | None, kind: str) -> str:
    """Why a repository cannot be fetched, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repository}"
    cause = cause_of(error)
    status = status_of(cause)
    if isinstance(cause, hub.GatedRepoError):
        return f"is gated: ask for access on {page}, and log in (hf auth login, or HF_TOKEN)"
    if isinstance(cause, hub.RevisionNotFoundError):
        return f"has no revision {revision}: see {page}/tree/main for its branches and tags"
    if isinstance(cause, hub.RepositoryNotFoundError) or status == 404:
        return (
            f"is not on the hub, or it is private and you are not logged in as one who may read it: see {page}, and "
            "log in (hf auth login, or HF_TOKEN)"
        )
    if status == 403:
        return f"cannot be fetched, since your token has no right to read it: ask for access on {page}"
    if status is not None:
        return refused("cannot be fetched", cause)
    if isinstance(cause, hub.HFValidationError):
        return "is no address on the hub: write hf://owner/name or hf://owner/name@revision"
    if isinstance(cause, OSError) and cause.errno in FULL:
        return (
            f"cannot be fetched, since the disk is full: free space in {constants.HF_HUB_CACHE}, or set HF_HOME to a "
            "folder on another disk"
        )
    if isinstance(cause, (hub.OfflineModeIsEnabled, hub.LocalEntryNotFoundError)) or constants.HF_HUB_OFFLINE:
        return "cannot be fetched from the hub, nor is it in the cache: offline mode is on (HF_HUB_OFFLINE)"
    said = without_token(first_line(cause))
    return (
        f"cannot be fetched from the hub, nor is it in the cache ({said}): check the connection to "
        f"{constants.ENDPOINT} and run the statement again, what was fetched is kept"
    )
