"""What a dot command is, and what of the shell it may use."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import duckdb

from modelstore.connection import Connection
from modelstore.visible import visible


class Quit(Exception):
    """`.quit` was typed."""


class Session(Protocol):
    """The shell, as far as commands use it.

    Attributes
    ----------
    connection, database
        The database, and the name that the prompt shows for it.
    form
        How rows are written: one of `modelstore.shell.render.formats.FORMATS`.
    timer
        Whether each statement's time is written after it.
    out
        Where rows go.
    """

    connection: Connection
    database: str
    form: str
    timer: bool
    out: BinaryIO

    def show(self, sql: str) -> bool:
        """Runs a statement and writes its rows; returns whether it has any."""

    def show_rows(self, relation: duckdb.DuckDBPyRelation) -> None:
        """Writes a relation's rows."""

    def run_file(self, path: Path) -> bool:
        """Runs a script, and returns whether all of it succeeded. Raises ``ShellError`` where it cannot be read."""

    def say(self, text: str) -> None:
        """Writes a line to where messages go."""

    def complain(self, error: BaseException) -> None:
        """Writes an error to where messages go."""

    def redirect(self, path: Path | None) -> None:
        """Writes rows to a file from now on; None: to where they went at first. Raises ``OSError``."""


@dataclass(frozen=True)
class DotCommand:
    """A command.

    Attributes
    ----------
    takes
        The kind of each argument, in order; one in brackets may be left out, and of one with dots there may be many.
    help
        What the command does, in one line.
    run
        Does it. It returns False where it has complained about an error itself.
    """

    takes: str
    help: str
    run: Callable[[Session, list[str]], bool | None]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest number of arguments."""
        names = self.takes.split()
        most = len(names) if not self.takes.endswith("...]") else sys.maxsize
        return sum(not name.startswith("[") for name in names), most


def write(session: Session, text: str) -> None:
    """Writes a text to where rows go."""
    session.out.write(visible(text).encode("utf-8", "replace"))
    session.out.flush()
