"""What files of a folder make up a dataset, and which split each belongs to.

The conventions are those of the library `datasets`, whose code reads README.md: its configurations and their
``data_files``, class names in ``dataset_info``, words such as ``train`` in the names of files and folders.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelstore.data.file_kinds import METADATA_NAMES, PACKED_ENDINGS, kind_of
from modelstore.data.json_rows import describes
from modelstore.data.shape_error import ShapeError
from modelstore.data.split_names import SPLIT_OF_NAME, split_of
from modelstore.data.tabular_files import class_names_in
from modelstore.errors import DatasetError, did_you_mean

_CARD = "README.md"
_NAMED = 5  # files that a notice or an error names
# Of several kinds of files equally many, the first one holds the rows.
_KINDS = {
    "parquet": "Parquet files",
    "arrow": "Arrow files",
    "json": "JSON files",
    "csv": "CSV files",
    "image": "images",
}
_TABLES = ("parquet", "json", "csv")
_APPLIED = {"sep", "delimiter", "names", "header", "data_files", "data_dir", "default", "features"}
_UNIMPORTANT = {"version", "description"}


@dataclass(frozen=True)
class Layout:
    """The files that hold a dataset's rows.

    Parameters
    ----------
    root
        The folder.
    kind
        What all of them are: ``parquet``, ``arrow``, ``json``, ``csv``, ``image``, or ``saved`` for a folder written
        by ``Dataset.save_to_disk``.
    files
        The files' names in the folder by split; None stands for rows whose split the names do not say.
    metadata
        The files that describe the images of a folder.
    class_names
        The names of classes by column, as README.md has them.
    settings
        How README.md says that CSV files are read: ``sep``, ``names``, ``header``.
    notices
        What was left out or pooled.
    """

    root: Path
    kind: str
    files: Mapping[str | None, tuple[str, ...]]
    metadata: tuple[str, ...] = ()
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def read_layout(root: Path, config: str | None) -> Layout:
    """Finds the files of one configuration of the dataset in a folder.

    Parameters
    ----------
    root
        The folder.
    config
        The configuration; None for the only one, or the default of README.md.

    Raises
    ------
    DatasetError
        If there are several configurations and none is the default, no such configuration, or no files of rows.
    """
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        if config is not None:
            raise DatasetError(f'the folder "{root}" was written by save_to_disk: it has no configurations')
        return Layout(root, "saved", {})
    names = sorted(_walk(root))
    configs, infos = read_configurations(root)
    class_names = _class_names(infos)
    if configs:
        name = _chosen(root, configs.keys(), config, configs.get_default_config_name())
        layout = _layout_of_card(root, names, configs[name])
        return replace(layout, class_names=class_names.get(name, {}))
    layout = _layout_of_names(root, names, config)
    only = (
        next(iter(class_names.values()))
        if len(class_names) == 1
        else class_names.get(config or "default", {})
    )
    return replace(layout, class_names=only)


def _walk(root: Path) -> Iterator[str]:
    """The names of all files below ``root``, relative to it; what a dot or two underscores hide is left out."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("__"):
                        pending.append(f"{folder}{entry.name}/")
                else:
                    yield folder + entry.name


def read_configurations(folder: Path) -> tuple[Any, Any]:
    """What README.md says of a dataset: `datasets`' MetadataConfigs, and its DatasetInfosDict; both may be empty.

    Raises
    ------
    DatasetError
        If the front matter cannot be read.
    """
    card = folder / _CARD
    if not card.is_file():
        return {}, {}
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData, metadata_load

    try:
        data = DatasetCardData(**(metadata_load(card) or {}), ignore_metadata_errors=True)
        configs = MetadataConfigs.from_dataset_card_data(data)
        if configs:
            configs.get_default_config_name()  # raises where there are two
        return configs, DatasetInfosDict.from_dataset_card_data(data)
    except Exception as error:  # YAML's and the library's own: whatever is wrong with its front matter
        reason = " ".join(str(error).split())
        raise DatasetError(
            f'the front matter of "{card}" cannot be read ({reason[:200]}): mend it, or name a file of the folder'
        ) from None


def _class_names(infos: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The class names of each configuration by column."""
    if not infos:
        return {}
    return {name: class_names_in(info.features or {}) for name, info in infos.items()}


def _chosen(root: Path, names: Iterable[str], asked: str | None, default: str | None) -> str:
    """The configuration that was asked for, else the default."""
    listed = ", ".join(sorted(names))
    if asked is not None:
        if asked not in set(names):
            near = did_you_mean(asked, sorted(names))
            has = f"it has {listed}" if listed else "leave the option config out"
            raise DatasetError(f'"{root}" has no configuration "{asked}"{near}: {has}')
        return asked
    if default is None:
        raise DatasetError(
            f'"{root}" has several configurations ({listed}), which are datasets of their own: name one, '
            f"WITH (config = '{sorted(names)[0]}')"
        )
    return default


def _layout_of_card(root: Path, names: list[str], config: Mapping[str, Any]) -> Layout:
    """The files that a configuration of README.md names."""
    from datasets.data_files import sanitize_patterns

    folder = (config.get("data_dir") or "").strip("/")
    inside = [name for name in names if not folder or name.startswith(folder + "/")]
    ignored = sorted(set(config) - _APPLIED - _UNIMPORTANT)
    settings = {key: config[key] for key in ("sep", "delimiter", "names", "header") if key in config}
    said = (f"README.md's {', '.join(ignored)} is not applied",) if ignored else ()
    if config.get("data_files") is None:
        layout = _layout_of_names(
            root / folder, [name[len(folder) + 1 :] if folder else name for name in inside]
        )
        return replace(layout, settings=settings, notices=(*layout.notices, *said))
    files: dict[str | None, tuple[str, ...]] = {}
    pooled: dict[str, list[str]] = {}
    left_out = []
    for given, patterns in sanitize_patterns(config["data_files"]).items():
        matched = [name for pattern in patterns for name in _matches(root, pattern, folder, inside)]
        split = split_of(given)
        if split is None:
            left_out.append(given)
            continue
        files[split] = (*files.get(split, ()), *dict.fromkeys(matched))
        pooled.setdefault(split, []).append(given)
    if not files:
        raise DatasetError(
            f'"{root / _CARD}" names no split train, validation or test, but {", ".join(left_out)}: '
            "name a file, or map its rows by a query"
        )
    notices = list(said)
    if left_out:
        notices.append(f"{_list(left_out, 'split')} of README.md {_are(left_out)} left out")
    notices += _pooled(pooled)
    metadata = _metadata_of([name for found in files.values() for name in found])
    files = {split: tuple(name for name in found if name not in metadata) for split, found in files.items()}
    return _of_one_kind(root, files, metadata=metadata, settings=settings, notices=tuple(notices))


def _folder_of(root: Path, data: list[str], config: str) -> str:
    """The folder of files that a configuration's name means: its path, or its name if no other is called so."""
    parents = {name.rpartition("/")[0] for name in data} - {""}
    paths = {
        "/".join(parent.split("/")[:depth]) for parent in parents for depth in range(1, parent.count("/") + 2)
    }
    called = [path for path in paths if path.rpartition("/")[2] == config]
    if config not in paths and len(called) == 1:
        return called[0]
    return _chosen(root, sorted(path for path in paths if split_of(path) is None), config, None)


def _metadata_of(names: list[str]) -> tuple[str, ...]:
    """The files that describe images, where there are images."""
    if not any(kind_of(name) == "image" for name in names):
        return ()
    return tuple(name for name in names if name.rpartition("/")[2] in METADATA_NAMES)


def _matches(root: Path, pattern: str, folder: str, names: list[str]) -> list[str]:
    """The files that a pattern of README.md matches, as the library's file system does."""
    from fsspec.utils import glob_translate

    pattern = f"{folder}/{pattern}" if folder else pattern
    pattern = pattern.removeprefix("./")
    if "://" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        raise DatasetError(f'README.md names the file "{pattern}", which is not in the folder "{root}"')
    matches = re.compile(glob_translate(pattern)).match
    found = [name for name in names if name == pattern or matches(name)]
    if found and not any(kind_of(name) for name in found):
        raise ShapeError(
            f'README.md names the files "{pattern}", which are no Parquet, CSV, JSON or image files: '
            f"{_list(found, 'file')}"
        )
    found = [name for name in found if kind_of(name)]
    if not found:
        raise DatasetError(f'README.md names the files "{pattern}", and "{root}" has none of that name')
    return found


def _layout_of_names(root: Path, names: list[str], config: str | None = None) -> Layout:
    """The files of a folder without configurations in README.md, by the words in their names."""
    if config is not None:
        config = _folder_of(root, [name for name in names if kind_of(name)], config)
        return _layout_of_names(
            root / config, [n[len(config) + 1 :] for n in names if n.startswith(config + "/")]
        )
    data = [name for name in names if kind_of(name)]
    if not data:
        packed = [name for name in names if name.lower().endswith(PACKED_ENDINGS)]
        if packed:
            raise DatasetError(
                f'the folder "{root}" holds {_list(packed, "file")}: unpack what is in archives, and compress files '
                "by gzip or zstd"
            )
        raise ShapeError(
            f'the folder "{root}" holds no Parquet, CSV, JSON or image files: it is no dataset in the '
            "Hugging Face layout"
        )
    described = [name for name in data if name.lower().endswith(".json") and describes(root / name)]
    if len(described) < len(data):
        data = [name for name in data if name not in described]
    metadata = _metadata_of(data)
    if metadata:
        data = [name for name in data if kind_of(name) == "image"]
    by_split: dict[str | None, list[str]] = {}
    for name in data:
        by_split.setdefault(_split_of_file(name), []).append(name)
    if _are_classes(by_split):
        by_split = {None: data}
    files = {split: tuple(found) for split, found in by_split.items() if split or len(by_split) == 1}
    stray = by_split[None] if None not in files and None in by_split else []
    notices: tuple[str, ...] = ()
    if described and described[0] not in data:
        notices = (f"{_list(described, 'file')} {_are(described)} left out: no rows",)
    if stray:
        notices = (*notices, f"{_list(stray, 'file')} {_are(stray)} left out: no split in the name")
    layout = _of_one_kind(root, files, metadata=metadata, notices=notices)
    if layout.kind != "image":
        _check_configurations(layout)
    return layout


def _split_of_file(name: str) -> str | None:
    """The split that a file's path says, the outermost folder first. The names of images say none."""
    folder, _, file = name.rpartition("/")
    split = _split_of_folder(folder)
    return split if split or kind_of(name) == "image" else split_of(file)


@lru_cache(maxsize=1024)
def _split_of_folder(folder: str) -> str | None:
    return next((split for part in folder.split("/") if (split := split_of(part))), None)


def class_folder(name: str, has_splits: bool = True) -> str | None:
    """The folder of an image that is its class: the innermost that says no split, where folders say splits."""
    folders = reversed(name.split("/")[:-1])
    return next((folder for folder in folders if not has_splits or split_of(folder) is None), None)


def _are_classes(by_split: Mapping[str | None, list[str]]) -> bool:
    """Whether folders that say a split are classes of images: train beside car and bus."""
    images = [name for split, names in by_split.items() if split for name in names]
    return (
        None in by_split
        and bool(images)
        and all(kind_of(name) == "image" and class_folder(name) is None for name in images)
        and any(kind_of(name) == "image" and class_folder(name) for name in by_split[None])
    )


def _of_one_kind(root: Path, files: Mapping[str | None, tuple[str, ...]], **rest: Any) -> Layout:
    """The layout of the files of the most frequent kind, or of tables of one kind a split; others are left out."""
    every = [name for names in files.values() for name in names]
    kind = _most_frequent(every)
    kept = {}
    for split, names in files.items():
        tables = [name for name in names if kind_of(name) in _TABLES]
        own = _most_frequent(tables) if kind in _TABLES and tables else kind
        kept[split] = tuple(name for name in names if kind_of(name) == own)
    kept = {split: names for split, names in kept.items() if names}
    stay = {name for names in kept.values() for name in names}
    others = [name for name in every if name not in stay]
    notices = rest.pop("notices", ())
    if others:
        notices = (
            *notices,
            f"{_list(others, 'file')} {_are(others)} left out: the rows are in {_KINDS[kind]}",
        )
    for split, names in kept.items():
        notices = (*notices, *_missing_shards(names))
        if kind != "image" and len({re.sub(r"\d+", "", name) for name in names}) > 1:
            pooled = f"the rows of {_list(names, 'file')} are pooled"
            notices = (*notices, f"{pooled} as {split}" if split else pooled)
    return Layout(root, kind, kept, notices=notices, **rest)


def _most_frequent(names: Iterable[str]) -> str:
    """The kind of most of the files."""
    counts = Counter(kind_of(name) for name in names)
    return max(_KINDS, key=lambda one: counts[one])


def _missing_shards(names: Iterable[str]) -> Iterator[str]:
    """Notices of files such as train-00000-of-00002.parquet whose other parts are not there."""
    shards: dict[tuple[str, int], set[int]] = {}
    for name in names:
        if found := re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})(\..*)", name):
            shards.setdefault((found[1] + found[4], int(found[3])), set()).add(int(found[2]))
    for (name, count), there in shards.items():
        if len(there) < count:
            yield f"only {len(there):,} of the {count:,} parts of {name} are there"


def _check_configurations(layout: Layout) -> None:
    """Raises ``DatasetError`` where two folders hold files of one split: these are configurations of a dataset."""
    folders: dict[str | None, set[str]] = {}
    for split, names in layout.files.items():
        for name in names:
            parts = name.split("/")[:-1]
            folders.setdefault(split, set()).add("/".join(part for part in parts if split_of(part) is None))
    clashing = {folder for found in folders.values() if len(found) > 1 for folder in found}
    if not clashing:
        return
    if "" in clashing:
        others = ", ".join(sorted(clashing - {""}))
        raise DatasetError(
            f'"{layout.root}" has files of one split in several folders (itself, {others}), which would put rows '
            "together that are kept apart: register one of the folders or files"
        )
    tops = {folder.partition("/")[0] for folder in clashing}
    _chosen(layout.root, tops if len(tops) > 1 else clashing, None, None)


def _pooled(given: Mapping[str, list[str]]) -> Iterator[str]:
    """Notices of the splits that are made of several."""
    for split, names in given.items():
        if len(names) > 1:
            yield f"the split {split} holds the rows of {' and '.join(names)}"
        elif names[0].lower() not in SPLIT_OF_NAME:
            yield f"the split {split} is {names[0]}"


def _list(names: list[str] | tuple[str, ...], noun: str) -> str:
    """Names for a message: all of a few, else the first of them and how many there are."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{len(names):,} {noun}s ({', '.join(names[:3])}, …)"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
