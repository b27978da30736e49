"""How a CSV file is written: its encoding, delimiter, header and quotes, so that DuckDB need not guess."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from gzip import BadGzipFile
from pathlib import Path
from typing import IO, Any

from modelstore.data.file_kinds import ending_of
from modelstore.errors import DatasetError
from modelstore.libraries import first_line
from modelstore.sql_text import file_list, file_literal, literal

_DELIMITERS = (",", ";", "\t", "|")
_TAB = "\\t"  # DuckDB reads it as a tab, and it survives being copied from a message
_HEAD = 1 << 20  # characters that hold the first row


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written.

    Parameters
    ----------
    columns
        The names of the columns.
    delimiter
        What separates values.
    quote
        The quote, or nothing where quotes stand for themselves.
    encoding
        ``utf-8`` or ``utf-16``.
    has_header
        Whether the first row has the names.
    """

    columns: tuple[str, ...]
    delimiter: str
    quote: str = '"'
    encoding: str = "utf-8"
    has_header: bool = True

    def reader(self, files: list[Path]) -> str:
        """The table function that reads such files; all values are text."""
        return f"read_csv({file_list(files)}, {self.arguments})"

    @cached_property
    def arguments(self) -> str:
        """The options of ``read_csv``."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        encoding = f", encoding = '{self.encoding}'" if self.encoding != "utf-8" else ""
        delimiter = self.delimiter.replace("\t", _TAB)
        return (
            f"auto_detect = false, header = {str(self.has_header).lower()}, columns = {{{columns}}}, "
            f"delim = {literal(delimiter)}, quote = {literal(self.quote)}, escape = {literal(self.quote)}{encoding}"
        )


def csv_format(path: Path, settings: Mapping[str, Any]) -> CsvFormat:
    """Finds out how a CSV file is written; tabs separate the values of ``.tsv``.

    Parameters
    ----------
    path
        The file.
    settings
        What README.md says of it: ``sep`` or ``delimiter``, ``names``, ``header``.

    Raises
    ------
    DatasetError
        If it is empty, or its first row cannot be read.
    """
    encoding, head = read_head(path)
    if not head.strip():
        raise DatasetError(f'the file "{path}" is empty')
    delimiter = settings.get("sep") or settings.get("delimiter") or _delimiter(head, ending_of(path.name))
    quote = '"' if delimiter != "\t" else quote_of_tabs(path, delimiter, encoding, head)
    first = first_row(head, delimiter, quote)
    names = settings.get("names")
    has_header = names is None or settings.get("header", None) is not None
    if names is None and settings.get("header", 0) is None:
        has_header, names = False, [f"column{number}" for number in range(len(first))]
    return CsvFormat(_unique(names or first), delimiter, quote, encoding, has_header)


def read_head(path: Path) -> tuple[str, str]:
    """The encoding of a text file by its byte-order mark, and its beginning.

    Raises
    ------
    DatasetError
        If it is compressed in a way that is not read, or its beginning is no text.
    """
    try:
        with _opened(path) as file:
            content = file.read(_HEAD)
    except (EOFError, ValueError, zlib.error, BadGzipFile) as error:
        raise DatasetError(f'the file "{path}" cannot be decompressed: {first_line(error)}') from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", content[: len(content) // 2 * 2].decode("utf-16", errors="replace")
    if b"\0" in content[:1000]:
        raise DatasetError(f'the file "{path}" is no text in UTF-8 or in UTF-16 with a byte-order mark')
    return "utf-8", content.decode("utf-8-sig", errors="replace")


def _opened(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        import gzip

        return gzip.open(path)  # type: ignore[return-value]
    if path.name.lower().endswith(".zst"):
        import pyarrow as pa

        return pa.CompressedInputStream(str(path), "zstd")
    return path.open("rb")


def first_row(head: str, delimiter: str, quote: str) -> list[str]:
    """The values of the first row that is not blank."""
    quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    csv.field_size_limit(_HEAD)
    rows = csv.reader(
        io.StringIO(head, newline=""), delimiter=delimiter, quotechar=quote or None, quoting=quoting
    )
    try:
        return next((row for row in rows if row), [])
    except csv.Error:
        return [head.partition("\n")[0]]


def lacks_header(path: Path, written: CsvFormat) -> bool:
    """Whether the first row looks like the others: it has a number, a sentence, or a value that comes again."""
    _, head = read_head(path)
    quoting: Any = csv.QUOTE_MINIMAL if written.quote else csv.QUOTE_NONE
    lines = csv.reader(
        io.StringIO(head, newline=""),
        delimiter=written.delimiter,
        quotechar=written.quote or None,
        quoting=quoting,
    )
    try:
        first, *others = [row for row, _ in zip(lines, range(200), strict=False) if row]
    except csv.Error:
        return False
    again = {(place, value) for row in others for place, value in enumerate(row) if value}
    return any(
        re.fullmatch(r"-?\d+(\.\d+)?", value) or len(value.split()) > 3 or (place, value) in again
        for place, value in enumerate(first)
    )


def _delimiter(head: str, ending: str) -> str:
    """The delimiter that cuts the first row into most values; in ``.tsv`` a tab, if it has one."""
    if ending == ".tsv" and "\t" in head.lstrip().splitlines()[0]:
        return "\t"
    return max(_DELIMITERS, key=lambda one: len(first_row(head, one, '"')))


def quote_of_tabs(path: Path, delimiter: str, encoding: str, head: str) -> str:
    """The quote of a file with tabs: none where some value begins with a quote that does not end it.

    Files with tabs are written with quotes, as by pandas, and without, as those of GLUE. A reader that takes the
    wrong way joins rows, so the whole file decides.
    """
    if '"' not in head and path.stat().st_size < len(head.encode()):
        return '"'
    import duckdb

    plain = CsvFormat(_unique(first_row(head, delimiter, "")), delimiter, "", encoding, has_header=False)
    inner = "replace(value[2:-2], '\"\"', '')"  # a quote within a quoted value is written twice
    closed = f"value LIKE '\"%\"' AND length(value) > 1 AND NOT contains({inner}, '\"')"
    with duckdb.connect() as connection:
        try:
            [(loose,)] = connection.execute(
                f"SELECT count(*) FROM (UNPIVOT (FROM {plain.reader([path])}) ON COLUMNS(*)) "
                f"WHERE value LIKE '\"%' AND NOT ({closed})"
            ).fetchall()
        except duckdb.Error:  # a quoted value holds a tab or an end of line, or the file is damaged
            return '"'
    return "" if loose else '"'


def _unique(names: list[str]) -> tuple[str, ...]:
    """Names of columns: none is empty or there twice, whatever the case."""
    found: list[str] = []
    for number, name in enumerate(names):
        name = name.strip() or f"column{number}"
        seen = {one.lower() for one in found}
        unique, count = name, 1
        while unique.lower() in seen:
            unique, count = f"{name}_{count}", count + 1
        found.append(unique)
    return tuple(found)


def explain_csv_error(message: str, statement: Callable[[str], str]) -> str | None:
    """One sentence for an error of DuckDB's reader: the file, the line and what would read it; None for others.

    Parameters
    ----------
    message
        DuckDB's.
    statement
        Makes the statement that registers the rows of a relation.
    """
    file = re.search(r"\n\s*file = (.+)", message)
    if file is None:
        return None
    path = file[1].strip()
    line = re.search(r"CSV Error on Line: (\d+)", message)
    fault, remedy, option = _fault_of_csv(message)
    place = f'the file "{path}"' + (f", line {line[1]}" if line else "")
    relation = f"read_csv({file_literal(path)}, {csv_format(Path(path), {}).arguments}, {option})"
    return f"{place}: {fault}; {remedy}: {statement(relation)}"


def _fault_of_csv(message: str) -> tuple[str, str, str]:
    """What is wrong by DuckDB's message, what to do, and the option of ``read_csv`` that does it."""
    if "Invalid unicode" in message:
        return "it is not written in UTF-8", "if it is Latin-1, say so", "encoding = 'latin-1'"
    if found := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        values = "1 value" if found[2] == "1" else f"{found[2]} values"
        fault = f"it has {values} where the header has {found[1]}"
        return fault, "mend it, or leave such rows out", "ignore_errors = true"
    if "unterminated quote" in message:
        fault = "a quote is not closed, or text follows it"
        return fault, "mend it, or read it leniently", "strict_mode = false"
    if "line size" in message.lower():
        return "it is longer than 2 MB", "allow it", "max_line_size = 100000000"
    return "it does not keep to the rules of CSV", "read it leniently", "strict_mode = false"
