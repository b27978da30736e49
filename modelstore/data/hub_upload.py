"""Writes models to repositories of the Hugging Face hub, and says in one sentence what prevents it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from modelstore.data.hub_client import (
    HubError,
    no_long_waits,
    patiently,
    seconds_to_wait,
    status_of,
    without_token,
)
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.progress import progress

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import ModelInfo

# Weights that would be loaded beside those of the new model, or instead of them.
_WEIGHTS = re.compile(
    r"(pytorch_)?model([.-].*)?\.(safetensors|bin)(\.index.*\.json)?|adapter_(model\..*|config\.json)"
)


class _Source(io.BufferedReader):
    """A file that is uploaded: each read of it may be interrupted, and is reported to ``on_read``.

    The client sends what it reads from an open file in Python; of a path it sends all in native code, which nothing
    interrupts.
    """

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self.on_read: Callable[[int], object] = lambda count: None

    def read(self, size: int | None = -1, /) -> bytes:
        check()
        found = super().read(size)
        self.on_read(len(found))
        return found


def upload(files: Mapping[str, Path], repository: str, private: bool | None) -> str:
    """Writes files to a model's repository in one commit, and makes the repository if there is none.

    Weights that the repository has of an earlier model are deleted by the same commit; its other files stay. What
    was uploaded before an interruption is not uploaded again.

    Parameters
    ----------
    files
        The files by their names in the repository.
    repository
        ``owner/name``.
    private
        Whether the repository is private; None: as the owner's account says, or as the repository is.

    Returns
    -------
    str
        The commit.

    Raises
    ------
    HubError
        If the hub cannot be reached or does not take them, or offline mode is on.
    duckdb.InterruptException
        If it is interrupted: the repository is as it was, or new and empty.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise HubError("cannot be reached, since offline mode is on: unset HF_HUB_OFFLINE")
    if get_token() is None:
        raise HubError(
            "takes only what someone who is logged in publishes: make a token that may write on "
            f"{constants.ENDPOINT}/settings/tokens, and log in with it (hf auth login, or HF_TOKEN)"
        )
    api = HfApi()
    try:
        with quiet(), no_long_waits(), ExitStack() as opened:
            earlier = _prepare(api, repository, private)
            sources = {name: opened.enter_context(_Source(path)) for name, path in files.items()}
            added = [CommitOperationAdd(name, source) for name, source in sources.items()]
            _upload_large(api, repository, added)
            stale = [name for name in earlier if _WEIGHTS.fullmatch(name) and name not in files]
            commit = patiently(
                lambda: api.create_commit(
                    repository,
                    [*added, *map(CommitOperationDelete, stale)],
                    commit_message="Model published with modelstore",
                ),
                repository,
            )
    except Exception as error:  # the client raises many kinds: network, login, names, disk
        raise _explained(error, repository) from None  # it may hold the request's headers
    return str(commit.oid)


def _prepare(api: HfApi, repository: str, private: bool | None) -> list[str]:
    """Makes the repository if there is none; the names of the files that it has."""
    from huggingface_hub import constants

    found = _info(api, repository)
    if found is None:
        patiently(lambda: api.create_repo(repository, private=private), repository)
        return []
    if private and not found.private:
        raise HubError(
            "is a public repository already, and private = true asks for a private one: make it private on "
            f"{constants.ENDPOINT}/{repository}/settings, or choose another name"
        )
    return [file.rfilename for file in found.siblings or []]


def _info(api: HfApi, repository: str) -> ModelInfo | None:
    """What the hub says of a repository; None where it shows none of that name."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return patiently(lambda: api.model_info(repository), repository)
    except RepositoryNotFoundError as error:
        if status_of(error) == 401:  # what the hub says to a token that it does not know
            patiently(api.whoami, repository)
        return None


def _upload_large(api: HfApi, repository: str, added: list[CommitOperationAdd]) -> None:
    """Uploads those of the files that are too large for a commit, which is to come."""
    sizes = [file.upload_info.size for file in added]
    with progress(sum(sizes), f"upload to {repository}", "byte") as bar:
        for number, file in enumerate(added, 1):
            check()
            source: Any = file.path_or_fileobj
            source.on_read = bar.update
            patiently(lambda file=file: api.preupload_lfs_files(repository, [file]), repository)  # type: ignore[misc]
            source.on_read = lambda count: None
            bar.update(
                sum(sizes[:number]) - bar.n
            )  # what was there already, or is read again for another try


def _explained(error: BaseException, repository: str) -> Exception:
    """The error to raise for one of the client's."""
    while (
        isinstance(error, RuntimeError) and error.__cause__ is not None
    ):  # the client's, around that of a file
        error = error.__cause__
    if isinstance(error, (HubError, duckdb.Error)):
        return error
    return HubError(_reason(error, repository))


def _reason(error: BaseException, repository: str) -> str:
    """Why nothing can be published to a repository, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    tokens, status = f"{constants.ENDPOINT}/settings/tokens", status_of(error)
    if status == 401:
        return f"does not accept your token: make a new one that may write on {tokens}"
    if status in (403, 404):
        return (
            f"cannot be written by your token: make one that may write to it on {tokens}, or choose a repository of "
            "your own"
        )
    if status in (409, 412):
        return "was changed by someone else at the same time: run the statement again"
    if status == 429:
        seconds = seconds_to_wait(error)
        when = f"in {seconds} s" if seconds else "later"
        return f"cannot be written, since the hub limits the rate of requests: try again {when}"
    if status is not None and status >= 500:
        return f"cannot be written, since the hub has a fault (HTTP {status}): try again later"
    if isinstance(error, hub.HFValidationError):
        return "is no address on the hub: write hf://owner/name"
    said = without_token(first_line(error))
    if isinstance(error, ValueError) or status is not None:
        return f"cannot be written, since the hub refuses what is published ({said})"
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot be written, since {error.filename} cannot be read ({error.strerror})"
    return (
        f"cannot be reached ({said}): check the connection to {constants.ENDPOINT} and run the statement again, what "
        "was uploaded is kept"
    )
