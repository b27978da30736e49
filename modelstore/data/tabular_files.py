"""Parquet, CSV and JSON files as queries of DuckDB. No value is typed by a sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from modelstore.data.csv_files import CsvFormat, csv_format, explain_csv_error, read_head
from modelstore.data.file_kinds import PACKED_ENDINGS, kind_of
from modelstore.data.shape_error import ShapeError
from modelstore.data.source import FOLDER_COLUMN
from modelstore.errors import DatasetError
from modelstore.libraries import first_line
from modelstore.sql_text import file_list, literal, quoted

_LARGEST_OBJECT = 1 << 30  # bytes of one JSON value
_POINTER = b"version https://git-lfs"
_AS_WRITTEN = re.compile(r"^(JSON|DATE|TIME|TIMESTAMP[ \w]*|UUID)\[\]$")  # guesses of DuckDB from texts
_NESTED = re.compile(r"^(STRUCT|MAP|UNION)\b|\[\d*\]$")


@dataclass(frozen=True)
class Table:
    """Files of one folder that are written alike.

    Parameters
    ----------
    files
        The files.
    columns
        Their columns.
    query
        Their rows, with the column `FOLDER_COLUMN`.
    class_names
        The names of classes by column.
    csv
        How they are written, if they are CSV.
    """

    files: tuple[Path, ...]
    columns: tuple[str, ...]
    query: str
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    csv: CsvFormat | None = None


def open_tables(files: list[Path], settings: Mapping[str, Any]) -> list[Table]:
    """Opens files of one kind: a table for all that are in one folder and written alike.

    Raises
    ------
    DatasetError
        If one cannot be read.
    """
    alike: dict[Any, list[Path]] = {}
    for path in files:
        check_is_here(path)
        written = csv_format(path, settings) if kind_of(path.name) == "csv" else _parquet_columns(path)
        alike.setdefault((path.parent, written), []).append(path)
    return [open_table(group, settings) for group in alike.values()]


def open_table(files: list[Path], settings: Mapping[str, Any] | None = None) -> Table:
    """Opens files of one folder that are written alike.

    Raises
    ------
    DatasetError
        If they cannot be read, or are no Parquet, CSV or JSON.
    """
    check_is_here(files[0])
    kind = kind_of(files[0].name)
    folder = f"{literal(files[0].parent)} AS {FOLDER_COLUMN}"
    if kind == "csv":
        written = csv_format(files[0], settings or {})
        query = f"SELECT *, {folder} FROM {written.reader(files)}"
        return Table(tuple(files), written.columns, query, csv=written)
    if kind == "parquet":
        query = f"SELECT *, {folder} FROM read_parquet({file_list(files)}, hive_partitioning = false)"
        columns = _parquet_columns(files[0])
        assert columns is not None
        return Table(tuple(files), columns, query, _parquet_class_names(files[0]))
    if kind == "json":
        return _open_json(files, folder)
    if files[0].name.lower().endswith(PACKED_ENDINGS):
        raise DatasetError(
            f'the file "{files[0]}" is an archive or compressed in a way that is not read: unpack it, or compress it '
            "by gzip or zstd"
        )
    raise ShapeError(
        f'"{files[0]}" is neither a Parquet, CSV or JSON file nor a directory: give one of these'
    )


def check_is_here(path: Path) -> None:
    """Raises ``DatasetError`` for a pointer of Git LFS, which stands for a file that was not fetched."""
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise DatasetError(
                f'the file "{path}" is a pointer of Git LFS, and the data was not fetched: run git lfs pull'
            )


def _parquet_columns(path: Path) -> tuple[str, ...] | None:
    if kind_of(path.name) != "parquet":
        return None
    return tuple(_parquet_schema(path).names)


def _parquet_schema(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f'the file "{path}" cannot be read as Parquet: {first_line(error)}') from None


def _parquet_class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """The names of classes that the library `datasets` wrote into the file."""
    schema = _parquet_schema(path)
    return class_names_of(schema) if b"huggingface" in (schema.metadata or {}) else {}


def class_names_of(schema: Any) -> dict[str, tuple[str, ...]]:
    """The names of classes by column, as an Arrow schema of the library `datasets` has them."""
    from datasets import Features

    try:
        features = Features.from_arrow_schema(schema)
    except (ValueError, KeyError, TypeError):  # written by a library with other types
        return {}
    return class_names_in(features)


def class_names_in(features: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of classes by column: of one class a row, or of a list of them."""
    from datasets import ClassLabel

    found = {}
    for name, feature in features.items():
        one = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", feature)
        if isinstance(one, ClassLabel):
            found[name] = tuple(one.names)
    return found


def _open_json(files: list[Path], folder: str) -> Table:
    """Opens JSON files. Values that are no lists or objects are read as text, so 0 and "0" are the same label.

    A column in which only some values are lists or objects stays JSON.
    """
    for path in files:
        encoding, _ = read_head(path)
        if encoding != "utf-8":
            raise DatasetError(
                f'the file "{path}" is written in UTF-16, and JSON is UTF-8: convert it by iconv'
            )
    whole = f"sample_size = -1, maximum_object_size = {_LARGEST_OBJECT}, union_by_name = true"
    whole += ", map_inference_threshold = -1, field_appearance_threshold = 0"
    with duckdb.connect() as connection:
        try:
            described = connection.execute(f"DESCRIBE FROM read_json({file_list(files)}, {whole})").fetchall()
            types = {name: kind if _NESTED.search(kind) else "VARCHAR" for name, kind, *_ in described}
            mixed = [name for name, kind, *_ in described if kind == "JSON"]
            types |= _lists_as_written(connection, files, types)
            types |= dict.fromkeys(_columns_with_lists(connection, files, mixed), "JSON")
        except duckdb.Error as error:
            raise DatasetError(_json_fault(files, error)) from None
    if list(types) == ["json"]:
        _check_objects(files)
    return Table(tuple(files), tuple(types), f"SELECT *, {folder} FROM {_json_reader(files, types)}")


def _json_reader(files: list[Path], types: Mapping[str, str]) -> str:
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    return f"read_json({file_list(files)}, columns = {{{columns}}}, maximum_object_size = {_LARGEST_OBJECT})"


def _columns_with_lists(
    connection: duckdb.DuckDBPyConnection, files: list[Path], names: list[str]
) -> list[str]:
    """Those of these columns in which some value is a list or an object."""
    if not names:
        return []
    tests = ", ".join(f"bool_or(json_type({quoted(name)}) IN ('ARRAY', 'OBJECT'))" for name in names)
    [found] = connection.execute(
        f"SELECT {tests} FROM {_json_reader(files, dict.fromkeys(names, 'JSON'))}"
    ).fetchall()
    return [name for name, holds in zip(names, found, strict=True) if holds]


def _lists_as_written(
    connection: duckdb.DuckDBPyConnection, files: list[Path], types: Mapping[str, str]
) -> dict[str, str]:
    """The types of columns whose lists hold texts like times, or texts and numbers: all are read as text."""
    lists = [name for name, kind in types.items() if _AS_WRITTEN.match(kind)]
    of_json = [name for name in lists if types[name] == "JSON[]"]
    nested: list[bool] = []
    if of_json:
        inner = "[x FOR x IN {} IF json_type(x) IN ('ARRAY', 'OBJECT')]"
        tests = ", ".join(
            f"coalesce(bool_or(len({inner.format(quoted(name))}) > 0), false)" for name in of_json
        )
        [found] = connection.execute(
            f"SELECT {tests} FROM {_json_reader(files, dict.fromkeys(of_json, 'JSON[]'))}"
        ).fetchall()
        nested = list(found)
    compound = {name for name, holds in zip(of_json, nested, strict=True) if holds}
    return {name: "VARCHAR[]" for name in lists if name not in compound}


def _check_objects(files: list[Path]) -> None:
    """Raises ``DatasetError`` for an array after a byte-order mark, which DuckDB takes for one value."""
    for path in files:
        with path.open("rb") as file:
            if file.read(3) == b"\xef\xbb\xbf":
                raise DatasetError(
                    f'the file "{path}" begins with a byte-order mark, which JSON does not have: remove it, for '
                    "example by sed '1s/^\\xEF\\xBB\\xBF//'"
                )


def _json_fault(files: list[Path], error: duckdb.Error) -> str:
    where = f'the file "{files[0]}"' if len(files) == 1 else f'one of the files "{files[0]}", …'
    return f"{where} cannot be read as JSON: {first_line(error).removeprefix('Invalid Input Error: ')}"


def explain_read_error(error: duckdb.Error, statement: Callable[[str], str]) -> str:
    """One sentence for an error of DuckDB while it reads files; ``statement`` registers the rows of a relation."""
    return explain_csv_error(str(error), statement) or f"its files cannot be read: {first_line(error)}"
