"""What the hub says of models before they are fetched: the bytes of their files, and their licenses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import duckdb

from modelstore.data.access import check_hub
from modelstore.data.hub_client import no_long_waits, status_of
from modelstore.interruption import check
from modelstore.libraries import quiet

SECONDS = 10.0  # that all answers together may take
AT_ONCE = 16
_POLL = 0.1
_LICENSE = "license:"


@dataclass(frozen=True)
class Listed:
    """A model as the hub lists it.

    Parameters
    ----------
    bytes
        Of the files that would be fetched; None where they are not known, or nothing would.
    license
        Its license, as ``apache-2.0``; None where it names none.
    is_there
        Whether the hub has such a model, as far as this user may see.
    """

    bytes: int | None = None
    license: str | None = None
    is_there: bool = True


def listed(
    addresses: Sequence[tuple[str, str | None]], wanted: Callable[[str, Sequence[str]], list[str]]
) -> list[Listed | None]:
    """Asks the hub for models, all at the same time.

    Parameters
    ----------
    addresses
        The repository of each, and its revision; the main branch if None.
    wanted
        Chooses the files that would be fetched, from the repository and the names of all its files; it may raise
        ``duckdb.Error``.

    Returns
    -------
    list
        What is known of each; None where the hub did not answer in `SECONDS`, or may not be asked.
    """
    from huggingface_hub import constants

    try:
        check_hub("hf://")
    except duckdb.PermissionException:
        return [None] * len(addresses)
    if constants.HF_HUB_OFFLINE or not addresses:
        return [None] * len(addresses)
    threads = ThreadPoolExecutor(AT_ONCE, "modelstore-hub")
    try:
        with quiet(), no_long_waits():
            asked = [threads.submit(_ask, *address, wanted) for address in addresses]
            until = time.monotonic() + SECONDS
            while (left := until - time.monotonic()) > 0 and not all(one.done() for one in asked):
                check()
                wait(asked, min(left, _POLL))
            return [_answer(one) for one in asked]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def count_licenses(models: Sequence[Listed]) -> list[tuple[str | None, int]]:
    """How many of the models have each license, the most frequent first, those without one last."""
    counts = Counter(model.license for model in models)
    return sorted(counts.items(), key=lambda one: (one[0] is None, -one[1], one[0] or ""))


def _answer(asked: Future[Listed]) -> Listed | None:
    """What came of a question; None where nothing has come, or the hub was not reached."""
    if not asked.done() or asked.cancelled() or asked.exception() is not None:
        return None
    return asked.result()


def _ask(repository: str, revision: str | None, wanted: Callable[[str, Sequence[str]], list[str]]) -> Listed:
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=SECONDS)
    except Exception as error:
        if status_of(error) in (401, 403, 404):
            return Listed(is_there=False)
        raise
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    license = next((tag.removeprefix(_LICENSE) for tag in info.tags or [] if tag.startswith(_LICENSE)), None)
    try:
        of_files = [sizes[name] for name in wanted(repository, list(sizes))]
    except duckdb.Error:
        return Listed(license=license)
    known = [bytes_ for bytes_ in of_files if bytes_ is not None]
    return Listed(sum(known) if known else None, license)
