"""The shell's state and how it runs a text: its statements and dot commands in turn, each result as it comes."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

import duckdb

from modelstore.connection import Connection
from modelstore.errors import of_function
from modelstore.interruption import ctrl_c
from modelstore.language.scanner import split
from modelstore.progress import shown_by
from modelstore.shell.commands.command import Quit
from modelstore.shell.interrupts import ctrl_c_stops
from modelstore.shell.parts import Part, parts_of
from modelstore.shell.render.formats import render
from modelstore.shell.render.messages import ShellError, message_of
from modelstore.shell.terminal import width_of
from modelstore.visible import visible


class Stopped(Exception):
    """Ctrl-C has stopped the text; the message says how to go on, where that is possible."""


@dataclass
class Shell:
    """One run of the command.

    Attributes
    ----------
    connection, database
        The database, and the name that the prompt shows for it.
    form
        How rows are written: one of `modelstore.shell.render.formats.FORMATS`.
    out, messages
        Where rows go, and where progress and errors go.
    go_on
        Whether what follows an error still runs.
    echo, timer
        Whether each statement is written before it runs, and its time after it.
    """

    connection: Connection
    database: str
    form: str = "box"
    out: BinaryIO = field(default_factory=lambda: sys.stdout.buffer)
    messages: TextIO = field(default_factory=lambda: sys.stderr)
    go_on: bool = False
    echo: bool = False
    timer: bool = False
    _reading: tuple[Path, ...] = ()  # the files that `.read` is in, so that none reads itself
    _first_out: BinaryIO | None = None  # where rows went before `.output`
    _stop: threading.Event | None = None  # set by Ctrl-C, while a text runs

    def run(self, text: str) -> bool:
        """Runs a text; unless ``go_on``, all of it is read before any of it runs, and the first error ends it.

        Returns
        -------
        bool
            Whether all of it succeeded.

        Raises
        ------
        Stopped
            Ctrl-C was pressed.
        Quit
            `.quit` was typed.
        BrokenPipeError
            Nobody reads the rows any more.
        """
        if self._stop is not None:  # a file that this text reads
            return self._run(text)
        with ctrl_c_stops(self.connection) as self._stop:
            try:
                return self._run(text)
            finally:
                self._stop = None

    def _run(self, text: str) -> bool:
        parts = list(parts_of(text))
        if not self.go_on:
            for part in parts:
                try:
                    self._check(part)
                except (duckdb.Error, ShellError) as error:
                    self.complain(error, part.text, text.count("\n", 0, part.start))
                    return False
        succeeded = True
        for part in parts:
            for piece, line in self._pieces(text, part):
                if self._stop is not None and self._stop.is_set():
                    raise Stopped("interrupted")
                succeeded &= self._run_piece(piece, part.is_dot, line)
                if not succeeded and not self.go_on:
                    return False
        return succeeded

    def run_file(self, path: Path) -> bool:
        """Runs a script, and returns whether all of it succeeded. Raises ``ShellError`` where it cannot be read."""
        resolved = path.resolve()
        if resolved in self._reading:
            raise ShellError(f'"{path}" reads itself')
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ShellError(f'"{path}" cannot be read: {reason}') from None
        self._reading = (*self._reading, resolved)
        try:
            return self.run(text)
        finally:
            self._reading = self._reading[:-1]

    def redirect(self, path: Path | None) -> None:
        """Writes rows to a file from now on; None: to where they went at first. Raises ``OSError``."""
        opened = open(path, "wb") if path is not None else None  # noqa: SIM115
        before, first = self.out, self._first_out or self.out
        self.out, self._first_out = (opened, first) if opened is not None else (first, None)
        if before is not first:
            with suppress(OSError):  # each statement has reported the rows that could not be written
                before.close()

    def say(self, text: str) -> None:
        """Writes a line to where messages go."""
        print(visible(text), file=self.messages, flush=True)

    def complain(self, error: BaseException, sql: str = "", lines_before: int = 0) -> None:
        """Writes an error and its place: ``sql`` is the statement that ran, ``lines_before`` the lines before it."""
        message = message_of(error, sql, lines_before, width_of(self.messages))
        print(message, file=self.messages, flush=True)

    def show(self, sql: str) -> bool:
        """Runs one statement and writes its rows; returns whether it has any."""
        try:
            relation = self._relation(sql)
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise self._located(error, sql) from None
        if relation is None or not self.connection.gives_rows(sql, relation.columns):
            return False
        self.show_rows(relation)
        return True

    def show_rows(self, relation: duckdb.DuckDBPyRelation) -> None:
        """Writes a relation's rows."""
        try:
            render(relation, self.form, self.out)
        except duckdb.InvalidInputException as error:
            raise of_function(error) from None

    def _relation(self, sql: str) -> duckdb.DuckDBPyRelation | None:
        """Runs a statement; an extension statement's progress is shown live."""
        from modelstore.shell.live import Live

        live = Live(self.messages)
        try:
            with shown_by(live):
                return self.connection.sql(sql)
        finally:
            live.close()

    def _located(self, error: duckdb.Error, sql: str) -> duckdb.Error:
        """The error with its line, which DuckDB leaves out when it makes a relation of a query."""
        if "\nLINE " not in str(error) and type(error) in (duckdb.BinderException, duckdb.CatalogException):
            try:
                self.connection.extract_statements(
                    sql
                )  # an error here, so that no extension statement is planned again
                self.connection.execute("EXPLAIN\n" + sql)
            except duckdb.Error as same:
                return same if "\nLINE " in str(same) else error
        return error

    def _check(self, part: Part) -> None:
        if part.is_dot:
            from modelstore.shell.commands.dot_commands import parse

            parse(part.text)
        else:
            self.connection.check(part.text)

    def _pieces(self, text: str, part: Part) -> Iterator[tuple[str, int]]:
        """The statements of a part, each with the number of lines before it."""
        line, position = text.count("\n", 0, part.start), 0
        if part.is_dot:
            yield part.text, line
            return
        for _, end, tokens in split(part.text):
            start = tokens[0].start
            line += part.text.count("\n", position, start)
            position = start
            yield part.text[start:end], line

    def _run_piece(self, piece: str, is_dot: bool, line: int) -> bool:
        if self.echo:
            print("\n" + visible(piece.strip()) + ("" if is_dot else ";"), file=self.messages, flush=True)
        timed = self._timed() if self.timer and not is_dot else nullcontext()
        try:
            if is_dot:
                from modelstore.shell.commands.dot_commands import run

                return run(self, piece)
            with timed, ctrl_c():  # a second press may meet a query
                self.show(piece)
        except (Quit, Stopped, BrokenPipeError):
            raise
        except (duckdb.InterruptException, KeyboardInterrupt) as error:
            how_to_go_on = str(error).removeprefix("INTERRUPT Error: Interrupted!").strip()
            raise Stopped(": ".join(filter(None, ["interrupted", how_to_go_on]))) from None
        except Exception as error:  # whatever it is, the shell goes on
            self.complain(error, piece, line)
            return False
        return True

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Writes how long the block took, in the words of DuckDB's shell."""
        began, used = time.perf_counter(), os.times()
        yield
        real, now = time.perf_counter() - began, os.times()
        user, system = now.user - used.user, now.system - used.system
        print(
            f"Run Time (s): real {real:.3f} user {user:.3f} sys {system:.3f}", file=self.messages, flush=True
        )
