"""Names, texts and paths as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def literal(value: object) -> str:
    """A text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path | str) -> str:
    """The path of exactly one file: DuckDB takes ``[``, ``*`` and ``?`` for patterns unless they are in brackets."""
    return literal(re.sub(r"[\[*?]", r"[\g<0>]", str(path)))


def file_list(paths: Iterable[Path]) -> str:
    """The paths of files as a list."""
    return "[" + ", ".join(file_literal(path) for path in paths) + "]"
