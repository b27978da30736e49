"""Jupyter: `%load_ext modelstore`, the magics `%modelstore` and `%%modelstore`, and HTML in place of boxes.

A statement's progress is shown by Jupyter's own updates of an output, which needs no widgets.
"""

import io
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

import duckdb
from IPython.core.error import UsageError
from IPython.display import DisplayHandle

from modelstore import html
from modelstore.connection import Connection, connect
from modelstore.language.scanner import split
from modelstore.progress import show_by_default
from modelstore.shell.live import Live
from modelstore.shell.render.messages import message_of
from modelstore.visible import visible

if TYPE_CHECKING:
    import pyarrow as pa

EVERY = 0.2  # seconds between two drawings
_CONNECT = re.compile(r"--connect(?:\s+|$)")
_HINT = "%modelstore --connect zoo.db opens one, and takes a connection of yours by its variable's name"


class Result:
    """The rows of a magic's last statement, shown as a table.

    Attributes
    ----------
    table
        The rows as a ``pyarrow.Table``.
    """

    def __init__(self, table: "pa.Table"):
        self.table = table

    def df(self) -> Any:
        """The rows as a ``pandas.DataFrame``."""
        return self.table.to_pandas()

    def pl(self) -> Any:
        """The rows as a ``polars.DataFrame``. Raises ``ImportError`` where Polars is not installed."""
        return import_module("polars").from_arrow(self.table)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows as tuples."""
        return list(self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(list(zip(*(column.to_pylist() for column in self.table.columns), strict=True)))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        with duckdb.connect() as connection:
            return visible(str(connection.from_arrow(self.table)))

    def _repr_html_(self) -> str:
        return html.of_table(self.table)


class Magics:
    """The magics of one notebook, and the store that they speak to."""

    def __init__(self, shell: Any):
        self._shell = shell
        self._connection: Connection | None = None
        self._opened: Connection | None = None  # by a path, and so closed with the extension

    def line(self, text: str) -> Result | None:
        """`%modelstore SQL` or `%modelstore --connect zoo.db`."""
        if _CONNECT.match(text):
            self._connect(_CONNECT.sub("", text, count=1))
            return None
        if not text.strip():
            raise UsageError(f"%modelstore takes SQL, or --connect: {_HINT}")
        return self._run(text)

    def cell(self, line: str, text: str) -> Result | None:
        """`%%modelstore`, or `%%modelstore zoo.db`, above SQL."""
        if line.strip():
            self._connect(_CONNECT.sub("", line, count=1))
        return self._run(text)

    def magic(self, line: str, cell: str | None = None) -> Result | None:
        """Runs SQL on the store, each statement once, and returns the last one's rows.

        ``%modelstore SELECT BEST MODEL FOR reviews`` runs a line, ``%%modelstore`` a cell. ``%modelstore --connect
        zoo.db`` says which store: a file, or the name of a variable that holds a connection.
        """
        return self.line(line) if cell is None else self.cell(line, cell)

    def close(self) -> None:
        """Closes what `--connect` has opened."""
        if self._opened is not None:
            self._opened.close()
        self._connection = self._opened = None

    def _connect(self, named: str) -> None:
        words = shlex.split(named)
        if len(words) != 1:
            raise UsageError(f"--connect takes the name of one file or variable: {_HINT}")
        given = self._shell.user_ns.get(words[0])
        if isinstance(given, Connection):
            self.close()
            self._connection = given
            return
        try:
            opened = connect(words[0])
        except duckdb.Error as error:
            raise UsageError(message_of(error)) from None
        self.close()
        self._connection = self._opened = opened

    def _run(self, text: str) -> Result | None:
        if self._connection is None:
            raise UsageError(f"no model store is open: {_HINT}")
        statement = text
        try:
            self._connection.check(text)
            result = None
            for start, end, _ in split(text):
                statement = text[start:end]
                result = self._rows(self._connection, statement)
            return result
        except (duckdb.InterruptException, KeyboardInterrupt) as error:
            how_to_go_on = str(error).removeprefix("INTERRUPT Error: Interrupted!").strip()
            raise UsageError(": ".join(filter(None, ["interrupted", how_to_go_on]))) from None
        except duckdb.Error as error:
            raise UsageError(message_of(error, statement)) from None

    def _rows(self, connection: Connection, statement: str) -> Result | None:
        # In the notebook's scope, as SQL may name its variables.
        relation = eval("run(sql)", self._shell.user_ns, {"run": connection.sql, "sql": statement})
        if relation is None or not connection.gives_rows(statement, relation.columns):
            return None
        return Result(relation.to_arrow_table())


class NotebookLive(Live):
    """The display of long work in an output of the cell that runs."""

    def __init__(self, out: TextIO):
        super().__init__(out)
        self._panel = True
        self._handle: DisplayHandle | None = None

    def bar(self, total: float, description: str, unit: str) -> Any:
        """A bar: the panel itself during a selection, or else a line in its place."""
        if self._selection is not None:
            return super().bar(total, description, unit)
        from tqdm import tqdm

        live = self

        class Bar(tqdm):
            """Shows itself in the output."""

            def display(self, msg: str | None = None, pos: int | None = None) -> None:
                live._show([visible(str(self))])

            def close(self) -> None:
                super().close()
                live._erase()

        return Bar(total=total, desc=description, unit=unit, file=io.StringIO(), leave=False, ncols=90)

    def draw(self, every: float = 0.0) -> None:
        """Draws the panel, unless it was drawn just now: each drawing is a message to the browser."""
        super().draw(max(every, EVERY))

    def _show(self, lines: list[str]) -> None:
        """Puts lines in place of those in the output."""
        text = "\n".join(lines)
        data = {"text/plain": text, "text/html": html.of_text(text)}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(data, raw=True)
        else:
            self._handle.update(data, raw=True)

    def _erase(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)

    def begin(self, *_: Any) -> None:
        """Takes a new output: another cell runs."""
        self._handle = self._selection = None


_loaded: dict[int, tuple[Magics, NotebookLive]] = {}  # by the shell's id


def load(shell: Any) -> None:
    """Gives a shell of IPython the magics, and has it show progress and DuckDB's relations."""
    if id(shell) in _loaded:
        return
    magics, live = Magics(shell), NotebookLive(sys.stderr)
    _loaded[id(shell)] = magics, live
    shell.register_magic_function(magics.magic, magic_kind="line_cell", magic_name="modelstore")
    shell.display_formatter.formatters["text/html"].for_type(duckdb.DuckDBPyRelation, _html_of)
    if getattr(shell, "kernel", None) is not None:  # in a terminal, bars show already
        show_by_default(live)
        shell.events.register("pre_run_cell", live.begin)


def unload(shell: Any) -> None:
    """Takes back what `load` gave."""
    magics, live = _loaded.pop(id(shell))
    magics.close()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("modelstore", None)
    shell.display_formatter.formatters["text/html"].pop(duckdb.DuckDBPyRelation, None)
    if live.begin in shell.events.callbacks["pre_run_cell"]:
        show_by_default(None)
        shell.events.unregister("pre_run_cell", live.begin)


def _html_of(relation: duckdb.DuckDBPyRelation) -> str:
    """The first rows of a relation, which is not read further."""
    shown = relation.limit(html.MOST_ROWS + 1).to_arrow_table()
    if shown.num_rows <= html.MOST_ROWS:
        return html.of_table(shown)
    return html.of_table(shown[: html.MOST_ROWS]) + f"<p>the first {html.MOST_ROWS} rows</p>"
