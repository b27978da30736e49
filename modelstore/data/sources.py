"""How a dataset's rows are read: from a Parquet, CSV or JSON file, or from a folder in the hub's layout."""

from __future__ import annotations

from pathlib import Path

from modelstore.data.columns import roles_missing
from modelstore.data.csv_files import lacks_header
from modelstore.data.file_kinds import kind_of
from modelstore.data.image_folder import open_image_folder
from modelstore.data.layout import Layout, read_layout
from modelstore.data.saved_folder import open_arrow_files, open_saved_folder
from modelstore.data.shape_error import ShapeError
from modelstore.data.source import SPLIT_COLUMN, Source
from modelstore.data.tabular_files import Table, open_tables
from modelstore.errors import DatasetError
from modelstore.options import DatasetOptions
from modelstore.sql_text import literal


def open_source(path: Path, options: DatasetOptions) -> Source:
    """Opens a dataset's file or folder; its rows are read when the query runs.

    Parameters
    ----------
    path
        The file or folder.
    options
        What the columns are for, and the configuration.

    Raises
    ------
    DatasetError
        If there are no rows that can be read.
    """
    if path.is_file():
        if options.config is not None:
            raise DatasetError(f'the file "{path}" has no configurations')
        kind = kind_of(path.name)
        layout = Layout(path.parent, kind or "", {None: (path.name,)})
    else:
        layout = read_layout(path, options.config)
    if layout.kind == "saved":
        return open_saved_folder(layout)
    if layout.kind == "arrow":
        return open_arrow_files(layout)
    if layout.kind == "image" and not path.is_file():
        return open_image_folder(layout)
    return _open_tables(layout, options)


def _open_tables(layout: Layout, options: DatasetOptions) -> Source:
    """The rows of a folder's Parquet, CSV or JSON files."""
    tables = [
        (split, table)
        for split, names in layout.files.items()
        for table in open_tables([layout.root / name for name in names], layout.settings)
    ]
    tables, notices = _without_unlabelled(tables, options)
    _check_roles(tables, options)
    parts = []
    class_names: dict[str, tuple[str, ...]] = {}
    for split, table in tables:
        column = f", {literal(split)} AS {SPLIT_COLUMN}" if split else ""
        parts.append(f"SELECT *{column} FROM ({table.query})")
        for name, names in table.class_names.items():
            if class_names.setdefault(name, names) != names:
                raise DatasetError(
                    f'the files of "{layout.root}" name the classes of {name} in different orders, '
                    f'{", ".join(class_names[name][:5])} and, in "{table.files[0].name}", {", ".join(names[:5])}: '
                    "register one of them, or map the numbers by a query"
                )
    return Source(
        " UNION ALL BY NAME ".join(parts),
        class_names={**class_names, **layout.class_names},
        notices=(*layout.notices, *notices),
    )


def _without_unlabelled(
    tables: list[tuple[str | None, Table]], options: DatasetOptions
) -> tuple[list[tuple[str | None, Table]], list[str]]:
    """The tables without those of validation and test that lack only the label, and a notice of each of these."""
    if all(roles_missing(table.columns, options) for _, table in tables):
        return tables, []
    kept, notices = [], []
    for split, table in tables:
        if split in ("validation", "test") and roles_missing(table.columns, options) == ["label"]:
            files = ", ".join(file.name for file in table.files)
            notices.append(f"{files} has no column of labels, and does not count as a {split} split")
        else:
            kept.append((split, table))
    return kept, notices


def _check_roles(tables: list[tuple[str | None, Table]], options: DatasetOptions) -> None:
    """Raises ``DatasetError`` for a file that lacks a column which another one has, or for one without a header.

    Where all files lack a column alike, the error is left to those who look at their columns.
    """
    lacking = [table for _, table in tables if roles_missing(table.columns, options)]
    whole = next((table for _, table in tables if table not in lacking), None)
    for table in lacking:
        columns = ", ".join(_shortened(column) for column in table.columns)
        if whole is not None:
            raise ShapeError(
                f'the file "{table.files[0]}" is of another shape than "{whole.files[0].name}": its columns are '
                f"{columns}; those of the other are {', '.join(whole.columns)}"
            )
        if table.csv is not None and lacks_header(table.files[0], table.csv):
            raise ShapeError(f'the file "{table.files[0]}" has no header: its first row is {columns}')


def _shortened(value: str) -> str:
    return value if len(value) <= 60 else value[:57] + "…"
