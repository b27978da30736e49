"""Where models and datasets are: the one place that reads uris.

A uri is a path on this machine, or ``hf://owner/name[@revision]`` on the Hugging Face hub. The hub is read
through its client's own cache, and not at all in offline mode (``HF_HUB_OFFLINE=1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet

_SCHEME = "hf://"
_MODEL_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@(.+))?")
_MODEL_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "README.md"]


@dataclass(frozen=True)
class ModelRef:
    """A model whose files are on this machine.

    Parameters
    ----------
    name
        The model's name in the catalog.
    path
        Its directory, absolute.
    revision
        The commit on the hub; None for a local directory.
    """

    name: str
    path: Path
    revision: str | None = None


class ModelRefs(Mapping[str, ModelRef]):
    """Models by name; each uri is resolved once, when its model is first looked up.

    So one model whose files are missing fails alone. A look-up raises what `resolve_model` raises.

    Parameters
    ----------
    uris
        The models' uris by name.
    """

    def __init__(self, uris: Mapping[str, str]):
        self._uris = uris
        self._resolved: dict[str, ModelRef] = {}

    def __getitem__(self, name: str) -> ModelRef:
        if name not in self._resolved:
            self._resolved[name] = resolve_model(name, self._uris[name])
        return self._resolved[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._uris)

    def __len__(self) -> int:
        return len(self._uris)


def resolve_model(name: str, uri: str) -> ModelRef:
    """Finds the directory of the model at ``uri``; one on the hub is fetched into the hub's cache if it is not there.

    Raises
    ------
    ModelError
        If there is no such directory, or the hub cannot give it.
    """
    if is_on_hub(uri):
        path = _fetch_model(uri)
        return ModelRef(name, path, path.name)
    path = Path(uri).expanduser()
    if not path.is_dir():
        fault = "is not a directory" if path.exists() else "does not exist"
        raise ModelError(
            f"model {uri} {fault}: give a local directory in the Hugging Face layout, or hf://owner/name"
        )
    return ModelRef(name, path.absolute())


def is_on_hub(uri: str) -> bool:
    """Whether ``uri`` is an address on the hub."""
    return uri.startswith(_SCHEME)


def absolute_uri(uri: str) -> str:
    """``uri`` as the catalog keeps it: an address on the hub as it is, a path made absolute."""
    return uri if is_on_hub(uri) else str(Path(uri).expanduser().absolute())


def local_path(uri: str, kind: str) -> Path:
    """Where the files at ``uri`` are on this machine now, without asking the hub.

    Parameters
    ----------
    uri
        A path, which need not exist, or an address on the hub.
    kind
        ``model`` or ``dataset``.

    Raises
    ------
    OSError
        If the hub's cache does not have them.
    """
    if not is_on_hub(uri):
        return Path(absolute_uri(uri))
    from huggingface_hub import snapshot_download

    repository, revision = _repository(uri)
    return Path(snapshot_download(repository, repo_type=kind, revision=revision, local_files_only=True))


def _repository(uri: str) -> tuple[str, str | None]:
    """The repository of an address on the hub, and its revision if it names one."""
    repository, _, revision = uri.removeprefix(_SCHEME).removeprefix("datasets/").partition("@")
    return "/".join(repository.split("/")[:2]), revision or None  # a third part is a dataset's configuration


def _fetch_model(uri: str) -> Path:
    match = _MODEL_ADDRESS.fullmatch(uri)
    if match is None:
        raise ModelError(
            f"model {uri} is no address on the hub: write hf://owner/name or hf://owner/name@revision"
        )
    from huggingface_hub import snapshot_download

    try:
        with quiet():
            return Path(
                snapshot_download(
                    match[1],
                    revision=match[2],
                    allow_patterns=_MODEL_FILES,
                    ignore_patterns=["*/*"],  # exports to other runtimes live in subfolders
                )
            )
    except Exception as error:  # the client raises many kinds: network, login, names, disk
        raise ModelError(
            f"model {uri} could not be fetched from the hub, nor is it in the cache: {first_line(error)}"
        ) from error
