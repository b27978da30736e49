"""What reading from the Hugging Face hub and writing to it have in common: patience with its limits, its errors."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from modelstore.interruption import check, check_elsewhere
from modelstore.progress import notify

Result = TypeVar("Result")

LONGEST_WAIT = 60  # seconds that a request waits when the hub asks it to
WAITS = 3
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class HubError(Exception):
    """What prevents a fetch or a publication: the end of a sentence that begins with the repository."""


def patiently(ask: Callable[[], Result], repository: str) -> Result:
    """Asks the hub, and waits as long as it says where it limits the rate of requests."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for _ in range(WAITS):
        try:
            return ask()
        except (HfHubHTTPError, LocalEntryNotFoundError) as error:
            cause = cause_of(error)
            seconds = seconds_to_wait(cause)
            if status_of(cause) != 429 or seconds is None or seconds > LONGEST_WAIT:
                raise
            notify(f"the hub limits the rate of requests: {repository} is asked for in {seconds} s")
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                check()
                time.sleep(min(left, 0.2))
    return ask()


@contextmanager
def no_long_waits() -> Iterator[None]:
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


def stoppable_bar() -> type:
    """The class of a bar for the client's downloads, which shows nothing and raises where the work is interrupted."""
    from tqdm import tqdm

    check_there = check_elsewhere()  # the client calls it in threads of its own

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any):
            super().__init__(*arguments, **options | {"disable": True})

        def update(self, n: float | None = 1) -> None:
            check_there()

    return Bar


def cause_of(error: BaseException) -> BaseException:
    """What lies behind an error of the client that says that a file is not in the cache either."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def status_of(error: object) -> int | None:
    """The HTTP status of the answer that an error is of; None where there was none."""
    return getattr(getattr(error, "response", None), "status_code", None)


def seconds_to_wait(error: object) -> int | None:
    """What the header Retry-After of a response says; None where it says nothing, or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return int(value) if value.isdigit() else None


def refused(what: str, error: object) -> str:
    """Why the hub has refused a request: the end of a sentence that goes on with ``what``, ``cannot be fetched``."""
    from huggingface_hub import constants

    status = status_of(error)
    if status == 401:
        return (
            f"{what}, since the hub does not accept your token: make a new one on "
            f"{constants.ENDPOINT}/settings/tokens"
        )
    if status == 429:
        seconds = seconds_to_wait(error)
        when = f"in {seconds} s" if seconds else "later"
        return (
            f"{what}, since the hub limits the rate of requests: try again {when}, or log in for a higher limit "
            "(hf auth login, or HF_TOKEN)"
        )
    return f"{what}, since the hub has a fault (HTTP {status}): try again later"


def without_token(message: str) -> str:
    """A message without anything that looks like a token of the hub."""
    from huggingface_hub import get_token

    token = get_token()
    return re.sub(r"hf_\w+", "hf_…", message.replace(token, "hf_…") if token else message)
