"""Progress of long work: bars on standard error, none where that is not a terminal."""

import sys
from typing import Any


def progress(total: float, description: str, unit: str) -> Any:
    """A tqdm bar; it is silent when standard error is not a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit=unit, disable=None, file=sys.stderr, leave=False)


def say(message: str) -> None:
    """One line on standard error, above any bar that is shown; nothing where it is not a terminal."""
    from tqdm import tqdm

    if sys.stderr.isatty():
        tqdm.write(message, file=sys.stderr)
