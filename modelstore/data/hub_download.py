"""Fetches repositories of the Hugging Face hub into its client's cache, and says in one sentence what prevents it."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.progress import notify

Result = TypeVar("Result")

LONGEST_WAIT = 60  # seconds that a fetch waits when the hub asks it to
WAITS = 3
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class HubError(Exception):
    """What prevents a fetch: the end of a sentence that begins with the repository."""


def fetch(
    repository: str,
    revision: str | None,
    kind: str,
    wanted: Callable[[Sequence[str]], list[str]] | list[str],
) -> Path:
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

    Returns
    -------
    Path
        The snapshot's directory in the cache.

    Raises
    ------
    HubError
        If the files cannot be fetched, nor are they in the cache.
    """
    from huggingface_hub import HfApi, snapshot_download

    names: list[str] | None = None
    try:
        with quiet(), _no_long_waits():
            if callable(wanted):
                info = _patiently(
                    lambda: HfApi().repo_info(repository, revision=revision, repo_type=kind), repository
                )
                names = wanted([file.rfilename for file in info.siblings or []])
            patterns = [escape(name) for name in names] if names is not None else wanted
            return Path(
                _patiently(
                    lambda: snapshot_download(
                        repository, revision=revision, repo_type=kind, allow_patterns=patterns
                    ),
                    repository,
                )
            )
    except Exception as error:  # the client raises many kinds: network, login, names, disk
        if isinstance(error, duckdb.Error):  # of `wanted`, or an interruption
            raise
        if callable(wanted) and not _is_final(error):
            cached = cached_snapshot(repository, revision, kind)
            if cached is not None and all((cached / name).exists() for name in names or []):
                return cached
        raise HubError(
            _reason(error, repository, revision, kind)
        ) from None  # it may hold the request's headers


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


def _patiently(ask: Callable[[], Result], repository: str) -> Result:
    """Asks the hub, and waits as long as it says where it limits the rate of requests."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for _ in range(WAITS):
        try:
            return ask()
        except (HfHubHTTPError, LocalEntryNotFoundError) as error:
            cause = _cause(error)
            seconds = _seconds_to_wait(cause)
            if _status(cause) != 429 or seconds is None or seconds > LONGEST_WAIT:
                raise
            notify(f"the hub limits the rate of requests: {repository} is fetched in {seconds} s")
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                check()
                time.sleep(min(left, 0.2))
    return ask()


@contextmanager
def _no_long_waits() -> Iterator[None]:
    """A block in which the client does not wait as long as the hub asks it to, which may be an hour."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    def refuse(response: Any) -> None:
        after = response.headers.get("Retry-After", "")
        if response.status_code == 429 and after.isdigit() and int(after) > LONGEST_WAIT:
            hf_raise_for_status(response)

    hooks = get_session().event_hooks["response"]
    hooks.append(refuse)
    try:
        yield
    finally:
        hooks.remove(refuse)


def _is_final(error: Exception) -> bool:
    """Whether an answer of the hub leaves no question that the cache could answer."""
    from huggingface_hub.errors import HFValidationError, RevisionNotFoundError

    return isinstance(error, (RevisionNotFoundError, HFValidationError)) or (
        isinstance(error, OSError) and error.errno in _FULL
    )


def _reason(error: Exception, repository: str, revision: str | None, kind: str) -> str:
    """Why a repository cannot be fetched, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repository}"
    cause = _cause(error)
    status = _status(cause)
    if isinstance(cause, hub.GatedRepoError):
        return f"is gated: ask for access on {page}, and log in (hf auth login, or HF_TOKEN)"
    if isinstance(cause, hub.RevisionNotFoundError):
        return f"has no revision {revision}: see {page}/tree/main for its branches and tags"
    if isinstance(cause, hub.RepositoryNotFoundError) or status == 404:
        return (
            f"is not on the hub, or it is private and you are not logged in as one who may read it: see {page}, and "
            "log in (hf auth login, or HF_TOKEN)"
        )
    if status == 401:
        return (
            "cannot be fetched, since the hub does not accept your token: make a new one on "
            f"{constants.ENDPOINT}/settings/tokens"
        )
    if status == 403:
        return f"cannot be fetched, since your token has no right to read it: ask for access on {page}"
    if status == 429:
        seconds = _seconds_to_wait(cause)
        when = f"in {seconds} s" if seconds else "later"
        return (
            f"cannot be fetched, since the hub limits the rate of requests: try again {when}, or log in for a higher "
            "limit (hf auth login, or HF_TOKEN)"
        )
    if status is not None:
        return f"cannot be fetched, since the hub has a fault (HTTP {status}): try again later"
    if isinstance(cause, hub.HFValidationError):
        return "is no address on the hub: write hf://owner/name or hf://owner/name@revision"
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return (
            f"cannot be fetched, since the disk is full: free space in {constants.HF_HUB_CACHE}, or set HF_HOME to a "
            "folder on another disk"
        )
    if isinstance(cause, (hub.OfflineModeIsEnabled, hub.LocalEntryNotFoundError)) or constants.HF_HUB_OFFLINE:
        return "cannot be fetched from the hub, nor is it in the cache: offline mode is on (HF_HUB_OFFLINE)"
    said = _without_token(first_line(cause))
    return (
        f"cannot be fetched from the hub, nor is it in the cache ({said}): check the connection to "
        f"{constants.ENDPOINT} and run the statement again, what was fetched is kept"
    )


def _cause(error: BaseException) -> BaseException:
    """What lies behind an error of the client that says that a file is not in the cache either."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: object) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _seconds_to_wait(error: object) -> int | None:
    """What the header Retry-After of a response says; None where it says nothing, or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return int(value) if value.isdigit() else None


def _without_token(message: str) -> str:
    """A message without anything that looks like a token of the hub."""
    from huggingface_hub import get_token

    token = get_token()
    return re.sub(r"hf_\w+", "hf_…", message.replace(token, "hf_…") if token else message)
