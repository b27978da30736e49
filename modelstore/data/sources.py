"""How a dataset's rows are read: from a Parquet, CSV or JSON file, or from a directory in the hub's layout."""

import re
from pathlib import Path

from modelstore.errors import DatasetError

_READERS = {
    ".parquet": "read_parquet({})",
    # A label that reads yes or 2020-01-01 in a CSV file is a word, not a truth value or a date.
    ".csv": "read_csv({}, auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR'])",
    ".tsv": "read_csv({}, auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR'])",
    ".json": "read_json({})",
    ".jsonl": "read_json({})",
    ".ndjson": "read_json({})",
}
DATA_ENDINGS = tuple(_READERS)
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
# Names of files and folders say which split they hold: data/train-00000-of-00002.parquet, test.csv, val/….
_SPLIT = re.compile(r"(?:^|[^a-z])(train|training|validation|valid|val|dev|test|testing)(?:[^a-z]|$)", re.I)


def query_of(path: Path) -> str:
    """Writes a DuckDB query for the rows of a dataset's file or directory.

    The rows have a column ``split`` where the names of files or folders say which split they are.

    Raises
    ------
    DatasetError
        If there are no rows that can be read.
    """
    if path.is_file():
        return f"SELECT * FROM {_reader(path).format(_file_list([path]))}"
    data_files = sorted(p for p in path.rglob("*") if p.suffix.lower() in DATA_ENDINGS and _is_data(p, path))
    if data_files:
        return _query_of_files(path, data_files)
    images = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_ENDINGS)
    if images:
        return _query_of_images(path, images)
    raise DatasetError(
        f'the directory "{path}" holds no Parquet, CSV, JSON or image files: it is no dataset in the '
        "Hugging Face layout"
    )


def _is_data(file: Path, root: Path) -> bool:
    """Whether a file holds rows: descriptions such as dataset_infos.json and files in dotted folders do not."""
    relative = file.relative_to(root)
    return relative.name not in ("dataset_infos.json", "dataset_info.json", "state.json") and not any(
        part.startswith(".") for part in relative.parts
    )


def _query_of_files(root: Path, found: list[Path]) -> str:
    """Data files, those of a split together."""
    by_split: dict[str | None, list[Path]] = {}
    for file in found:
        by_split.setdefault(_split_of(file.relative_to(root)), []).append(file)
    parts = []
    for split, group in by_split.items():
        if len({_reader(file) for file in group}) > 1:
            raise DatasetError(f'the directory "{root}" mixes kinds of data files: keep one kind a split')
        column = f", '{split}' AS split" if split else ""
        files = _file_list(group) + ", union_by_name = true"
        parts.append(f"SELECT *{column} FROM {_reader(group[0]).format(files)}")
    return " UNION ALL BY NAME ".join(parts)


def _query_of_images(root: Path, found: list[Path]) -> str:
    """The layout train/label/x.png (or label/x.png): the folder is the label."""
    rows = []
    for file in found:
        relative = file.relative_to(root)
        if len(relative.parts) < 2:
            raise DatasetError(f'the image "{file}" stands in no folder that would be its label')
        split = _split_of(relative.parent.parent)
        rows.append(
            f"({_literal(file)}, {_literal(relative.parent.name)}, {_literal(split) if split else 'NULL'})"
        )
    named = all(not row.endswith("NULL)") for row in rows)
    columns = "image, label, split" if named else "image, label"
    return f"SELECT {columns} FROM (VALUES {', '.join(rows)}) AS files(image, label, split)"


def _split_of(relative: Path) -> str | None:
    """The split that a path names, its last part first."""
    for part in reversed(relative.parts):
        match = _SPLIT.search(part)
        if match:
            return match[1].lower()
    return None


def _reader(file: Path) -> str:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DatasetError(
            f'"{file}" is neither a Parquet, CSV or JSON file nor a directory: give one of these'
        )
    return reader


def _file_list(files: list[Path]) -> str:
    return "[" + ", ".join(_literal(file) for file in files) + "]"


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
