"""How rows are written: a box for people, csv, json, jsonl or markdown for programs.

Values are DuckDB's own text: `COPY` writes csv, `to_json` makes json, casts make the others. All formats stream; a
box in a file keeps its rows in a temporary file until the widths of its columns are known.
"""

import json
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

import duckdb

from modelstore.interruption import check
from modelstore.shell.render.box import DOTS, Box, Columns, Row, draw, widest
from modelstore.shell.terminal import width_of
from modelstore.visible import visible

FORMATS = ("box", "csv", "json", "jsonl", "markdown")
# The first and last rows of a longer result that a terminal is shown.
_HALF = 20
_BATCH = 10_000
_IN_MEMORY = 1 << 24  # bytes of rows that are kept in memory
_LINE_END = re.compile(r"\r\n|\r|\n")
_PIPE = 1 << 20  # bytes: with the usual 64 KB, DuckDB waits for its reader most of the time

# It takes a relation over the rows, and where their text goes, in UTF-8.
Renderer = Callable[[duckdb.DuckDBPyRelation, BinaryIO], None]


def render(relation: duckdb.DuckDBPyRelation, form: str, out: BinaryIO) -> None:
    """Writes a result's rows. Raises ``BrokenPipeError`` where the reader of ``out`` has gone."""
    check()  # Ctrl-C between two of DuckDB's queries stops neither
    _RENDERERS[form](relation, out)
    out.flush()


def _batches(relation: duckdb.DuckDBPyRelation) -> Iterator[Any]:
    """A relation's rows as Arrow batches, as they come."""
    reader = relation.to_arrow_reader(_BATCH)
    try:
        for batch in reader:
            check()
            yield batch
    except OSError as error:  # Arrow's, in place of an error of DuckDB's
        if "INTERRUPT" in str(error):
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!") from None
        raise duckdb.InvalidInputException(str(error)) from None
    finally:
        reader.close()


def _texts(relation: duckdb.DuckDBPyRelation) -> Iterator[list[Row]]:
    """Batches of a relation's rows, each as DuckDB's text of its values."""
    for batch in _batches(relation.project("CAST(COLUMNS(*) AS VARCHAR)")):
        yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[Row]:
    return chain.from_iterable(_texts(relation))


def _box(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    for line in _boxed(relation, width_of(out)):
        out.write(line.encode("utf-8", "replace"))


def _boxed(relation: duckdb.DuckDBPyRelation, width: int | None) -> Iterator[str]:
    columns = Columns(relation.columns, [str(kind) for kind in relation.types])
    if columns.names == ["explain_key", "explain_value"]:
        return (f"{text}\n" for _, text in _rows(relation))
    return _all(relation, columns) if width is None else _on_screen(relation, columns, width)


def _on_screen(relation: duckdb.DuckDBPyRelation, columns: Columns, width: int) -> Iterator[str]:
    """The first and the last rows; all, where the dots between them would take as many lines as the rows."""
    rows = _rows(relation)
    first = list(islice(rows, _HALF))
    last: deque[Row] = deque(maxlen=_HALF + DOTS)
    total = len(first)
    for row in rows:
        last.append(row)
        total += 1
    cut = DOTS if total > len(first) + len(last) else 0
    yield from draw(columns, first, list(last)[cut:], total, width)


def _all(relation: duckdb.DuckDBPyRelation, columns: Columns) -> Iterator[str]:
    """Every row, out of a temporary file once the widths of all columns are known."""
    with SpooledTemporaryFile(_IN_MEMORY) as waiting:
        total, widths = 0, widest(columns, [])
        for rows in _texts(relation):
            total += len(rows)
            widths = list(map(max, widths, widest(columns, rows)))
            waiting.write(json.dumps(rows).encode() + b"\n")
        box = Box(columns, widths, None)
        yield from box.head(empty=total == 0)
        waiting.seek(0)
        for batch in waiting:
            check()
            yield from map(box.row, json.loads(batch))
        yield from box.foot(total, total)


def _csv(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    with _pipe_to(out) as path:
        relation.write_csv(path, header=True)


class _pipe_to:
    """A path for one `COPY … TO`, whose bytes go to ``out``, after what it holds already."""

    def __init__(self, out: BinaryIO):
        self._out = out
        self._error: BaseException | None = None

    def __enter__(self) -> str:
        self._reading, self._writing = os.pipe()
        with suppress(ImportError, AttributeError, OSError):  # Linux only, and as far as its limits go
            import fcntl

            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, _PIPE)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()
        return f"/dev/fd/{self._writing}"

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.close(self._writing)
        self._thread.join()
        if self._error is not None:
            raise self._error from None

    def _copy(self) -> None:
        try:
            with open(self._reading, "rb", buffering=0) as pipe:
                while data := pipe.read(_PIPE):
                    self._out.write(data)
        except (OSError, ValueError) as error:
            self._error = error  # without a reader, DuckDB's next write to the pipe fails


def _markdown(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    names = relation.columns
    out.write(f"| {' | '.join(map(_cell, names))} |\n|{' --- |' * len(names)}\n".encode())
    for row in _rows(relation):
        out.write(f"| {' | '.join(map(_cell, row))} |\n".encode("utf-8", "replace"))


def _cell(value: str | None) -> str:
    return "" if value is None else visible(_LINE_END.sub("<br>", value.replace("|", "\\|")))


def _objects(relation: duckdb.DuckDBPyRelation) -> Iterator[str]:
    """The lines of each batch's rows as JSON objects."""
    for batch in _batches(relation.project("CAST(to_json(struct_pack(*COLUMNS(*))) AS VARCHAR)")):
        yield from batch.column(0).to_pylist()


def _jsonl(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    for line in _objects(relation):
        out.write(f"{line}\n".encode())


def _json(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    separator = "["
    for line in _objects(relation):
        out.write(f"{separator}{line}".encode())
        separator = ",\n"
    out.write(b"[]\n" if separator == "[" else b"]\n")


_RENDERERS: dict[str, Renderer] = {
    "box": _box,
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "markdown": _markdown,
}
