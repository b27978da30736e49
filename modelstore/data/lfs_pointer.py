"""Tells a Git LFS pointer from the file that it stands for."""

from __future__ import annotations

import re
from pathlib import Path

from modelstore.errors import ModelError

_BEGINNING = b"version https://git-lfs.github.com/spec/"
_LONGEST = 1024  # bytes; the specification's limit


def check_is_no_pointer(file: Path) -> None:
    """Checks that a model's file is not the pointer that a clone without Git LFS leaves in its place.

    Raises
    ------
    ModelError
        If it is.
    """
    try:
        if file.stat().st_size > _LONGEST:
            return
        content = file.read_bytes()
    except OSError:
        return  # whoever reads the file says what is wrong with it
    if not content.startswith(_BEGINNING):
        return
    size = re.search(rb"^size (\d+)$", content, re.MULTILINE)
    of = f" of {int(size[1]):,} bytes" if size else ""
    raise ModelError(
        f"{file} is a Git LFS pointer to a file{of}, which the clone has not fetched: run `git lfs pull` in "
        f"{file.parent}"
    )
