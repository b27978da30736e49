"""A look into files that are no dataset as they are: which columns may be texts and labels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from modelstore.data.csv_files import CsvFormat, csv_format, first_row, lacks_header, quote_of_tabs, read_head
from modelstore.data.file_kinds import ending_of, kind_of
from modelstore.data.split_names import split_of
from modelstore.data.tabular_files import open_table
from modelstore.errors import DatasetError
from modelstore.sql_text import file_literal, quoted

_ROWS = 5000  # that are looked at
_LINES = 200
_LARGEST = 200 << 20  # bytes of a file that is looked at
_LABEL_NAME = re.compile(r"label|class|categor|sentiment|target|intent|quality|gold|score|stars|rating", re.I)
_LABEL_LIST = re.compile(r"^(VARCHAR|U?\w*INT|INTEGER|BIGINT|ENUM\(.*\))\[\d*\]$")
_NO_DATA = re.compile(r"(readme|licen[cs]e|origin|notice|citation|requirements|changelog|mapping)\b", re.I)
_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".data", ".dat", ".tab", "")
_TAGGED = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".bioes", ".ner", ".pos", ".testa", ".testb")
LINE = "␞"  # a delimiter that no file has: a value is a line


@dataclass(frozen=True)
class Column:
    """What a column's first rows hold.

    Parameters
    ----------
    name
        Its name.
    expression
        The SQL of a value.
    filled, distinct
        The share of rows that have a value, and how many different ones there are.
    repeats
        How often a value comes, on average.
    words
        The mean number of words.
    is_score
        Whether the values are numbers, and many different ones are not whole.
    """

    name: str
    expression: str
    filled: float
    distinct: int
    repeats: float
    words: float
    is_score: bool


@dataclass(frozen=True)
class Sample:
    """A file that a query could read.

    Parameters
    ----------
    path
        The file.
    split
        The split that its name says.
    relation
        The SQL of its rows, to stand in FROM.
    columns
        What is in them.
    shape
        What files of the same columns have in common.
    has_header
        Whether the names of the columns are the file's own.
    """

    path: Path
    split: str | None
    relation: str
    columns: tuple[Column, ...]
    shape: tuple[object, ...]
    has_header: bool


def look_into(path: Path) -> Iterator[Sample]:
    """The files at ``path`` that a query could read as rows of columns."""
    for file in files_of(path):
        try:
            sample = _sample(file)
        except (DatasetError, duckdb.Error, OSError, UnicodeError):
            continue  # what cannot be read proposes nothing
        if sample is not None:
            yield sample


def text_files(path: Path) -> list[Path]:
    """The text files below a folder, in order; the file itself, if it is one."""
    return [file for file in files_of(path) if kind_of(file.name) is None]


def files_of(path: Path) -> list[Path]:
    """The files at ``path`` that may hold rows, in order; a file itself."""
    if path.is_file():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(folder, name) for name in names if _may_hold_rows(name)]
    return sorted(file for file in found if file.stat().st_size <= _LARGEST)[:50]


def _may_hold_rows(name: str) -> bool:
    if _NO_DATA.match(name) or name.startswith("."):
        return False
    ending = ending_of(name)
    return ending in (*_ENDINGS, *_TAGGED) or split_of(ending) is not None


def _sample(file: Path) -> Sample | None:
    split = split_of(file.name) or split_of(file.parent.name)
    kind = kind_of(file.name)
    if kind == "csv":
        written = csv_format(file, {})
        has_header = not lacks_header(file, written)
        if not has_header:
            names = tuple(f"column{number}" for number in range(len(written.columns)))
            written = replace(written, columns=names, has_header=False)
        return _of_relation(file, split, _with_encoding(file, written), written.columns, has_header)
    if kind in ("json", "parquet"):
        table = open_table([file])
        reader = "read_parquet" if kind == "parquet" else "read_json"
        if kind == "json":
            relation = f"{reader}({file_literal(file)}, sample_size = -1, maximum_object_size = 1000000000)"
        else:
            relation = f"{reader}({file_literal(file)})"
        return _of_relation(file, split, relation, table.columns, True)
    return _of_lines(file, split)


def lines_of(file: Path) -> str:
    """The SQL of a text file's lines, in the column ``line``."""
    return _with_encoding(file, CsvFormat(("line",), LINE, quote="", has_header=False))


def _with_encoding(file: Path, written: CsvFormat) -> str:
    """The reader of a file, which is Latin-1 where it is no UTF-8: the proposal says so, and the user decides."""
    if written.encoding == "utf-8" and not file.name.lower().endswith((".gz", ".zst")):
        try:
            file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            written = replace(written, encoding="latin-1")
    return written.reader([file])


def _of_lines(file: Path, split: str | None) -> Sample | None:
    """A text file with tabs, or one whose lines begin with the label."""
    _, head = read_head(file)
    lines = [line for line in head.splitlines()[:_LINES] if line.strip()]
    if len(lines) < 2:
        return None
    tabs = {line.count("\t") for line in lines}
    if 0 not in tabs and len(tabs) == 1:
        names = tuple(f"column{number}" for number in range(len(first_row(lines[0], "\t", ""))))
        written = CsvFormat(names, "\t", quote_of_tabs(file, "\t", "utf-8", head), has_header=False)
        return _of_relation(file, split, _with_encoding(file, written), names, False)
    first = {line.split(" ", 1)[0] for line in lines}
    if len(first) > len(lines) / 3 or sum(len(line.split()) < 2 for line in lines) > len(lines) / 10:
        return None
    columns = (
        Column("label", "split_part(line, ' ', 1)", 1.0, len(first), len(lines) / len(first), 1.0, False),
        Column("text", "trim(substr(line, strpos(line, ' ') + 1))", 1.0, len(lines), 1.0, 10.0, False),
    )
    return Sample(file, split, lines_of(file), columns, ("lines",), False)


def _of_relation(
    file: Path, split: str | None, relation: str, names: tuple[str, ...], has_header: bool
) -> Sample | None:
    shape = ("header", *names) if has_header else ("none", len(names))
    with duckdb.connect() as connection:
        rows = f"(SELECT * FROM {relation} LIMIT {_ROWS})"
        types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {rows}").fetchall()}
        columns = [
            _column(connection, rows, name, quoted(name))
            for name in names
            if not types[name].endswith(("]", ")"))
        ]
        lists = [
            _column(connection, rows, name, f"unnest({quoted(name)})")
            for name in names
            if types[name] == "VARCHAR[]"
        ]
        columns += [
            replace(_column(connection, rows, name, f"unnest({quoted(name)})"), expression=quoted(name))
            for name in names
            if _LABEL_NAME.search(name) and _LABEL_LIST.match(types[name])
        ]
    if (
        len(lists) > 1 and max(column.words for column in lists) > 2
    ):  # sentences, where tokens would be single words
        columns = lists
    return Sample(file, split, relation, tuple(columns), shape, has_header)


def _column(connection: duckdb.DuckDBPyConnection, rows: str, name: str, expression: str) -> Column:
    number = "isfinite(TRY_CAST(value AS DOUBLE))"
    [(filled, distinct, words, values, numbers, fractions)] = connection.execute(
        f"SELECT avg((value IS NOT NULL)::INT), count(DISTINCT value), "
        f"avg(len(string_split_regex(trim(value), '\\s+'))), count(value), count(*) FILTER (WHERE {number}), "
        f"count(DISTINCT value) FILTER (WHERE {number} AND TRY_CAST(value AS DOUBLE) % 1 <> 0) "
        f"FROM (SELECT ({expression})::VARCHAR AS value FROM {rows})"
    ).fetchall()
    is_score = values > 0 and values == numbers and fractions > 20
    return Column(name, expression, filled or 0, distinct, values / max(distinct, 1), words or 0, is_score)


def text_columns(columns: tuple[Column, ...]) -> list[Column]:
    """The column of texts, or the two of pairs."""
    texts = sorted((one for one in columns if one.words > 2), key=lambda one: -one.words)
    if not texts:
        texts = sorted((one for one in columns if one.name.lower() == "text"), key=lambda one: -one.words)
    if len(texts) < 2:
        return texts
    best, second = texts[:2]
    numbered = {re.sub(r"[12ab]", "", one.name.lower()) for one in (best, second)}
    if second.words >= 0.4 * best.words or (len(numbered) == 1 and not re.fullmatch(r"column\d+", best.name)):
        return sorted((best, second), key=columns.index)
    return [best]


def label_column(columns: tuple[Column, ...], texts: list[Column]) -> Column | None:
    """The column that is most like a label: by its name, or the fewest different values."""
    others = [one for one in columns if one not in texts and one.distinct > 1 and one.filled > 0]
    others = [one for one in others if one.is_score or (one.distinct <= 200 and one.repeats >= 2)]
    if not others:
        return None
    return min(
        others,
        key=lambda one: (not _LABEL_NAME.search(one.name), one.filled < 1, not one.is_score, one.distinct),
    )
