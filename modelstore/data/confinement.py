"""Keeps what is read of a model's directory in it: a link in it may lead anywhere, and its author made it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError

MOST_ENTRIES = 100_000  # of a directory, which are looked at
DEPTH = 2  # folders below the model's, that are looked into: those of sentence-transformers
_NAMES_NO_MORE = "special_tokens_map_file"  # transformers wrote it once, and reads it no more


def check_links(path: Path) -> None:
    """Checks that no link in the model directory ``path`` leads out of it, but into the hub's cache.

    Raises
    ------
    ModelError
        If one does.
    """
    roots: list[Path] | None = None
    for entry in _links(str(path), DEPTH):
        target = Path(os.path.realpath(entry.path))
        if not target.exists():
            continue  # whoever reads it says so
        if roots is None:
            roots = [path.resolve(), *_of_the_hub(path)]
        if not any(target.is_relative_to(root) for root in roots):
            raise ModelError(
                f"{entry.path} is a link that leads out of the model's directory, to {target}: put the file itself "
                "in its place"
            )


def leads_out(folder: Path, name: Any) -> bool:
    """Whether an entry of a file of settings names a file that is there and not in the folder."""
    if not isinstance(name, str) or not name:
        return False
    try:
        target = (folder / name).resolve()
        return not target.is_relative_to(folder.resolve()) and target.exists()
    except (OSError, ValueError, RuntimeError):  # no path at all
        return False


def without_files_elsewhere(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """A tokenizer's settings without the files that they name elsewhere; None where they name none."""
    outside = [
        key
        for key, value in settings.items()
        if key.endswith("_file") and key != _NAMES_NO_MORE and leads_out(folder, value)
    ]
    return {key: value for key, value in settings.items() if key not in outside} if outside else None


def _of_the_hub(path: Path) -> list[Path]:
    """Where links into the hub's cache lead: its files are in folders named blobs, beside its snapshots."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).resolve()
    roots = [folder.resolve() for folder in cache.glob("models--*/blobs")]
    if path.parent.name == "snapshots":
        roots.append((path.parent.parent / "blobs").resolve())
    return roots


def _links(folder: str, depth: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number == MOST_ENTRIES:
                    raise ModelError(f"{folder} has more than {MOST_ENTRIES:,} files, and is no model's")
                if entry.is_symlink():
                    yield entry
                elif depth and entry.is_dir(follow_symlinks=False):
                    yield from _links(entry.path, depth - 1)
    except OSError as error:
        raise ModelError(f"model {folder} cannot be read: {error.strerror or error}") from error
