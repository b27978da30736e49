"""The file of a new database, which is there whole or not at all, whatever becomes of the disk and of the process.

DuckDB writes three blocks into a new file. What a full disk or a kill leaves of them cannot be opened, and holds
nothing.
"""

import errno
import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

_HEADER = 3 * 4096  # bytes that every database has
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MAGIC = b"DUCK"  # at byte 8 of each


def begin_file(path: str, config: dict[str, Any]) -> None:
    """Makes the file of a database where there is none, or one that was begun and holds nothing yet.

    Parameters
    ----------
    path
        The file. A database in memory, or one that DuckDB reads from elsewhere, is left to DuckDB.
    config
        DuckDB's own settings.

    Raises
    ------
    duckdb.IOException
        The file cannot be written.
    """
    if path.startswith(":memory:") or "://" in path:
        return
    file = Path(os.path.realpath(path))
    if not file.parent.is_dir() or (file.exists() and not _holds_nothing(file)):
        return
    try:
        _begin(file, config)
    except OSError as error:
        # DuckDB tries what this could not do, unless it would leave what cannot be opened.
        if error.errno in _FULL:
            raise duckdb.IOException(f"IO Error: No space left on device: {path}") from None


def _begin(file: Path, config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(
        dir=file.parent, prefix=f".{file.name[:40]}.", suffix=".new", ignore_cleanup_errors=True
    ) as folder:
        begun = Path(folder, "new.db")
        duckdb.connect(str(begun), config=config).close()
        if file.exists():
            _replace(file, begun)
        else:
            os.link(begun, file)  # another process may have made it by now


def _holds_nothing(file: Path) -> bool:
    """Whether a file is the beginning of a database's header."""
    if not file.is_file() or file.stat().st_size >= _HEADER:
        return False
    # No process has so short a file open as a database, whose lock the end of this look would release.
    content = file.read_bytes()
    return not content or content[8:12] == _MAGIC


def _replace(file: Path, begun: Path) -> None:
    """Puts a new database in the place of a file that holds nothing, unless another process begins it just now."""
    with file.open("r+b") as held, suppress(BlockingIOError):
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _holds_nothing(file):
            begun.replace(file)
