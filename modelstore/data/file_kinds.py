"""Kinds of data files, by their endings."""

from __future__ import annotations

KIND_OF_ENDING = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".jsonl": "json",
    ".json": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
DATA_ENDINGS = tuple(KIND_OF_ENDING)
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
COMPRESSED_ENDINGS = (".gz", ".zst")  # DuckDB reads CSV and JSON through them
PACKED_ENDINGS = (".zip", ".tar", ".tgz", ".bz2", ".xz", ".lz4", ".7z", ".rar", ".tar.gz")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # of a folder of images
# Files that describe a dataset and hold no rows of it.
DESCRIPTIONS = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "config.json")


def ending_of(name: str) -> str:
    """The ending of a file's name in lower case, without that of its compression."""
    base = name.rpartition("/")[2].lower()
    for packed in COMPRESSED_ENDINGS:
        base = base.removesuffix(packed)
    stem, dot, ending = base.rpartition(".")
    return dot + ending if stem else ""


def kind_of(name: str) -> str | None:
    """``parquet``, ``arrow``, ``json``, ``csv`` or ``image``; None for a file that holds no rows."""
    ending = ending_of(name)
    if ending in IMAGE_ENDINGS:
        return "image"
    return None if name.rpartition("/")[2] in DESCRIPTIONS else KIND_OF_ENDING.get(ending)
