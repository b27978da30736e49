"""What a process that was forked may do with the connections of its parent: nothing.

DuckDB's threads are not in the new process, and its file is the parent's: what the two write would destroy it.
"""

import ctypes
import os
from pathlib import Path
from typing import Any

import duckdb

from modelstore.errors import StoreError

_inherited_files: set[str] = set()


class Inherited:
    """Stands in the place of a DuckDB connection that the parent has opened.

    The connection itself is kept from being closed here, which would write to the file.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))

    def __getattr__(self, name: str) -> Any:
        raise StoreError(
            "this connection was opened before the process was forked, and is its parent's: connect in the new "
            "process to another file, or start it by spawn"
        )

    def close(self) -> None:
        """Does nothing."""


def inherit_file(path: str) -> None:
    """Notes, in a process that was forked, that its parent has a file open."""
    _inherited_files.add(_identity(path))


def check_not_inherited(path: str) -> None:
    """Raises ``StoreError`` for a file that the parent of this process had open when it forked."""
    if _inherited_files and _identity(path) in _inherited_files:
        raise StoreError(
            f'"{path}" was open when this process was forked, and is its parent\'s: close it before the fork, or '
            "start the process by spawn"
        )


def after_fork(do: Any) -> None:
    """Has a function called in each process that is forked."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=do)


def _identity(path: str) -> str:
    return os.path.realpath(Path(path))
