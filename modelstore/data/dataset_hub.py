"""Where datasets are: a path on this machine, or ``hf://[owner/]name[/config][@revision]`` on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelstore.data.access import check_hub, check_path
from modelstore.data.file_kinds import DATA_ENDINGS, IMAGE_ENDINGS
from modelstore.data.hub import is_on_hub
from modelstore.data.hub_client import HubError
from modelstore.data.hub_download import fetch
from modelstore.data.layout import read_configurations
from modelstore.errors import DatasetError, reason_of

_DESCRIPTION = ["README.md", "*/README.md"]


@dataclass(frozen=True)
class DatasetRef:
    """A dataset whose files are on this machine.

    Parameters
    ----------
    name
        The dataset's name in the catalog.
    path
        Its file or directory, absolute.
    revision
        The commit on the hub; None for local files.
    config
        The configuration that was asked for, by the uri or by the option; None for the only one, or the default.
    """

    name: str
    path: Path
    revision: str | None = None
    config: str | None = None


@dataclass(frozen=True)
class DatasetAddress:
    """A dataset on the hub: its repository, configuration and revision; None where the address does not say."""

    repository: str
    config: str | None
    revision: str | None


def dataset_address(uri: str) -> DatasetAddress:
    """Reads an address on the hub.

    Raises
    ------
    DatasetError
        If it is not ``hf://[owner/]name[/config][@revision]``.
    """
    address, at, revision = uri.removeprefix("hf://").removeprefix("datasets/").partition("@")
    parts = address.split("/")
    if not all(parts) or len(parts) > 3 or (at and not revision):
        raise DatasetError(
            f'"{uri}" is no dataset on the hub: write hf://owner/name, hf://owner/name/config or '
            "hf://owner/name@revision"
        )
    return DatasetAddress("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, revision or None)


def resolve_dataset(name: str, uri: str, config: str | None = None) -> DatasetRef:
    """Finds the file or directory of the dataset at ``uri``; one on the hub is fetched into the hub's cache.

    Parameters
    ----------
    name
        The dataset's name in the catalog.
    uri
        Where it is.
    config
        The configuration, where the uri does not say.

    Raises
    ------
    DatasetError
        If there is no such file or directory, or the hub cannot give it.
    """
    if is_on_hub(uri):
        check_hub(uri)
        address = dataset_address(uri)
        if config and address.config and config != address.config:
            raise DatasetError(
                f'the address "{uri}" names the configuration {address.config}, the option {config}'
            )
        config = address.config or config
        path = _fetch(uri, address, config)
        return DatasetRef(name, path, path.name, config)
    try:
        path = Path(uri).expanduser().absolute()
        check_path(str(path))
        exists = path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, an unknown ~user
        raise DatasetError(f'"{uri[:200]}" is no path that can be read: {reason_of(error)}') from error
    if not exists:
        raise DatasetError(f'there is no file or directory "{uri[:200]}": give a path, or hf://owner/name')
    if not path.is_file() and not path.is_dir():
        raise DatasetError(f'"{uri}" is no regular file, but a pipe or a device, which is not read')
    return DatasetRef(name, path, None, config)


def fetch_dataset(uri: str) -> None:
    """Fetches the files of a dataset on the hub into the hub's cache. Raises ``DatasetError``."""
    address = dataset_address(uri)
    _fetch(uri, address, address.config)


def _fetch(uri: str, address: DatasetAddress, config: str | None) -> Path:
    """Fetches README.md, then the files of one configuration as far as README.md tells them apart."""
    described = _snapshot(uri, address, _DESCRIPTION)
    return _snapshot(uri, address, [*_DESCRIPTION, *_patterns(described, config)])


def _patterns(described: Path, config: str | None) -> list[str]:
    """The patterns of the data files of a configuration; those of all data files where README.md does not say."""
    every = [_in_any_case(f"*{ending}{more}") for ending in DATA_ENDINGS for more in ("", ".gz", ".zst")]
    every += [_in_any_case(f"*{ending}") for ending in IMAGE_ENDINGS]
    chosen = _config_of_card(described, config)
    if chosen is None:
        return every
    folder = str(chosen.get("data_dir") or "").strip("/")
    if chosen.get("data_files") is None:
        return [f"{folder}/{pattern}" for pattern in every] if folder else every
    from datasets.data_files import sanitize_patterns

    named = [one for patterns in sanitize_patterns(chosen["data_files"]).values() for one in patterns]
    return [f"{folder}/{one}" if folder else one.removeprefix("./") for one in named]


def _config_of_card(described: Path, config: str | None) -> Mapping[str, Any] | None:
    """What README.md says of the configuration, or of the default one."""
    configs, _ = read_configurations(described)
    name = config or (configs.get_default_config_name() if configs else None)
    return configs.get(name) if name else None


def _in_any_case(pattern: str) -> str:
    """A pattern of file names that takes letters in upper and lower case: cameras write .JPG."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in pattern)


def _snapshot(uri: str, address: DatasetAddress, patterns: list[str]) -> Path:
    try:
        return fetch(address.repository, address.revision, "dataset", patterns).path
    except HubError as error:
        raise DatasetError(f"dataset {uri} {error}") from None
