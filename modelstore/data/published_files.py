"""Which files of a model's directory are published: what the model is loaded from, its card and its licence."""

from __future__ import annotations

import os
import re
from pathlib import Path

from modelstore.data.model_weights import find_weights
from modelstore.data.sentence_transformers import pooling_folders
from modelstore.errors import ModelError

# Others may be anyone's: what a trainer has left, notes, credentials.
_SETTINGS = re.compile(
    r"(.*config|tokenizer|.*vocab.*|special_tokens_map|added_tokens|normalizer|chat_template|modules)\.json|"
    r"(.*vocab.*|merges|dict)\.txt|bpe\.codes|.+\.(model|tiktoken|jinja)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"README\.md|(LICEN[CS]E|NOTICE)([.-].*)?", re.IGNORECASE)


def published_files(directory: Path, is_made: bool = False) -> dict[str, Path]:
    """The files to publish of a model, by their names in the repository.

    Parameters
    ----------
    directory
        The directory that transformers loads.
    is_made
        Whether it was made in the cache: then it links to files elsewhere that were checked as it was made.

    Raises
    ------
    ModelError
        If the directory cannot be read, or one of the files is a link that leads out of it.
    """
    weights = find_weights(directory)
    names = [entry.name for entry in directory.iterdir() if _is_setting(entry)]
    names += [file.name for file in weights.files]
    names += [weights.index.name] if weights.index is not None else []
    names += [f"{folder}/config.json" for folder in pooling_folders(directory)]
    files = {name: directory / name for name in sorted(names) if (directory / name).is_file()}
    if not is_made:
        for file in files.values():
            _check_is_inside(directory, file)
    return files


def _is_setting(entry: Path) -> bool:
    if entry.name.startswith("."):
        return False
    return _SETTINGS.fullmatch(entry.name) is not None or _WORDS.fullmatch(entry.name) is not None


def _check_is_inside(directory: Path, file: Path) -> None:
    """Raises ``ModelError`` where a file is a link that leads out of the directory and a snapshot's blobs."""
    target, inside = Path(os.path.realpath(file)), [directory.resolve()]
    if directory.parent.name == "snapshots":
        inside.append((directory.parent.parent / "blobs").resolve())
    if not any(target.is_relative_to(root) for root in inside):
        raise ModelError(
            f"{file} is a link that leads out of the model's directory, to {target}, and is not published: put the "
            "file itself in its place"
        )
