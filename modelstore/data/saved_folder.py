"""A folder written by ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk``, and Arrow files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelstore.data.layout import Layout
from modelstore.data.source import FOLDER_COLUMN, SPLIT_COLUMN, Source
from modelstore.data.split_names import split_of
from modelstore.data.tabular_files import class_names_of
from modelstore.errors import DatasetError
from modelstore.libraries import first_line, quiet
from modelstore.sql_text import literal


def open_saved_folder(layout: Layout) -> Source:
    """Opens the splits of a saved dataset; they stay on disk, mapped into memory.

    Raises
    ------
    DatasetError
        If the library cannot read the folder, or no split is for training, validating or testing.
    """
    from datasets import Dataset, load_from_disk

    try:
        with quiet():
            saved = load_from_disk(str(layout.root))
    except Exception as error:  # whatever is wrong with its files
        raise DatasetError(
            f'the folder "{layout.root}" cannot be read by load_from_disk: {first_line(error)}'
        ) from None
    splits: Mapping[str | None, Any] = {None: saved} if isinstance(saved, Dataset) else dict(saved)
    return _source(layout.root, splits)


def open_arrow_files(layout: Layout) -> Source:
    """Opens Arrow files of the library `datasets`, mapped into memory.

    Raises
    ------
    DatasetError
        If the library cannot read one.
    """
    from datasets import Dataset, concatenate_datasets

    splits = {}
    for split, names in layout.files.items():
        try:
            with quiet():
                splits[split] = concatenate_datasets(
                    [Dataset.from_file(str(layout.root / name)) for name in names]
                )
        except Exception as error:  # whatever is wrong with them
            raise DatasetError(
                f'the Arrow files of "{layout.root}" cannot be read: {first_line(error)}'
            ) from None
    source = _source(layout.root, splits)
    return Source(source.query, source.tables, source.class_names, (*layout.notices, *source.notices))


def _source(root: Path, datasets: Mapping[str | None, Any]) -> Source:
    parts, tables, left_out = [], {}, []
    class_names: dict[str, tuple[str, ...]] = {}
    for number, (given, dataset) in enumerate(datasets.items()):
        split = None if given is None else split_of(given)
        if given is not None and split is None:
            left_out.append(given)
            continue
        name = f"modelstore_saved_{number}"
        tables[name] = dataset.with_format("arrow")[:] if dataset._indices is not None else dataset.data.table
        class_names |= class_names_of(dataset.features.arrow_schema)
        column = f", {literal(split)} AS {SPLIT_COLUMN}" if split else ""
        parts.append(f"SELECT *, {literal(root)} AS {FOLDER_COLUMN}{column} FROM {name}")
    if not parts:
        raise DatasetError(f'"{root}" has no split train, validation or test, but {", ".join(left_out)}')
    notices = (f"the split {', '.join(left_out)} is left out",) if left_out else ()
    return Source(" UNION ALL BY NAME ".join(parts), tables, class_names, notices)
