"""A folder of images: their folders are their classes, or a file of metadata has what belongs to them."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from modelstore.data.layout import Layout, class_folder
from modelstore.data.source import FOLDER_COLUMN, SPLIT_COLUMN, Source
from modelstore.data.split_names import split_of
from modelstore.data.tabular_files import check_is_here, open_table
from modelstore.errors import DatasetError

_SHOWN = 5  # folders in a notice
_FILES = "modelstore_files"  # the Arrow table of paths: hundreds of thousands of them make no SQL text


def open_image_folder(layout: Layout) -> Source:
    """Reads the images of a folder.

    Raises
    ------
    DatasetError
        If images stand in no folder that would be their class, or metadata names files that are not there.
    """
    names = [name for found in layout.files.values() for name in found]
    splits = [split for split, found in layout.files.items() for _ in found]
    check_is_here(layout.root / names[0])
    if layout.metadata:
        return _with_metadata(layout, names, splits)
    has_splits = splits[0] is not None
    labels = [class_folder(name, has_splits) for name in names]
    _check_labels(layout, names, labels)
    table = pa.table(
        {
            "image": pa.array([f"{layout.root}/{name}" for name in names], pa.string()),
            "label": pa.array(labels, pa.string()).dictionary_encode(),
            SPLIT_COLUMN: pa.array(splits, pa.string()).dictionary_encode(),
        }
    )
    if not has_splits:
        table = table.drop([SPLIT_COLUMN])
    notices = (*layout.notices, *_folders_above(names, labels, has_splits))
    return Source(f"SELECT * FROM {_FILES}", {_FILES: table}, notices=notices)


def _folders_above(names: list[str], labels: list[str | None], has_splits: bool) -> list[str]:
    """A notice of folders that differ above the classes, which the library `datasets` does not read either."""
    above: set[str] = set()
    for name, label in zip(names, labels, strict=True):
        folders = name.split("/")[:-1]
        while folders.pop() != label:
            pass
        above.update(folder for folder in folders if not has_splits or split_of(folder) is None)
    if len(above) < 2:
        return []
    shown = ", ".join(sorted(above)[:_SHOWN]) + (", …" if len(above) > _SHOWN else "")
    return [f"the class of an image is its innermost folder; the folders above, {shown}, are not read"]


def _check_labels(layout: Layout, names: list[str], labels: list[str | None]) -> None:
    if None in labels:
        name = names[labels.index(None)]
        raise DatasetError(
            f'the image "{layout.root / name}" stands in no folder that would be its class: use folders '
            "(train/cat/1.png), a file metadata.csv with the columns file_name and label beside the images, or a "
            "CSV file with the columns image and label"
        )
    depths = [name.count("/") for name in names]
    (usual, count), *others = Counter(depths).most_common()
    if others:
        name = names[next(number for number, depth in enumerate(depths) if depth != usual)]
        raise DatasetError(
            f'the image "{layout.root / name}" stands in more or fewer folders than the other {count:,} images, so '
            "its class is not clear: move it"
        )


def _with_metadata(layout: Layout, names: list[str], splits: list[str | None]) -> Source:
    """The rows of metadata.csv, metadata.jsonl or metadata.parquet, each with its image's path and split."""
    images = pa.table(
        {
            "image": pa.array([f"{layout.root}/{name}" for name in names], pa.string()),
            SPLIT_COLUMN: pa.array(splits, pa.string()).dictionary_encode(),
        }
    )
    parts = []
    for name in layout.metadata:
        table = open_table([layout.root / name])
        if "file_name" not in table.columns:
            raise DatasetError(
                f'"{layout.root / name}" has no column file_name: its columns are {", ".join(table.columns)}'
            )
        parts.append(
            f"SELECT * EXCLUDE ({FOLDER_COLUMN}), {FOLDER_COLUMN} || '/' || file_name AS image FROM ({table.query})"
        )
    rows = " UNION ALL BY NAME ".join(parts)
    left_out = _check_names(layout, rows, images)
    notices: tuple[str, ...] = ()
    if left_out:
        images_are = "1 image is" if left_out == 1 else f"{left_out:,} images are"
        notices = (f"{images_are} left out: the metadata does not name them",)
    hidden = f", {SPLIT_COLUMN}" if splits[0] else ""
    return Source(
        f"SELECT * EXCLUDE (file_name){hidden} FROM ({rows}) JOIN {_FILES} USING (image)",
        {_FILES: images if hidden else images.select(["image"])},
        notices=(*layout.notices, *notices),
    )


def _check_names(layout: Layout, rows: str, images: pa.Table) -> int:
    """The number of images that the metadata does not name; ``DatasetError`` where it names others."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register(_FILES, images)
        named = f"(SELECT image, file_name FROM ({rows}))"
        bad = connection.execute(
            f"SELECT file_name FROM {named} ANTI JOIN {_FILES} USING (image) LIMIT 1"
        ).fetchone()
        if bad is not None:
            raise DatasetError(
                f'the metadata of "{layout.root}" names the file "{bad[0]}", which is none of its images'
            )
        [(left_out,)] = connection.execute(
            f"SELECT count(*) FROM {_FILES} ANTI JOIN {named} USING (image)"
        ).fetchall()
    return int(left_out)
