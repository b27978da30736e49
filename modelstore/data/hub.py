"""Where models and datasets are: the one place that reads uris.

A uri is a path on this machine, or ``hf://[owner/]name[@revision]`` on the Hugging Face hub. The hub is read
through its client's own cache, and not at all in offline mode (``HF_HUB_OFFLINE=1``). A model may also be in a folder
that fsspec reads, ``s3://bucket/folder``, and is used from a copy in the cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelstore.data.access import check_directory, check_hub
from modelstore.data.fetched_models import Fetch, note_use
from modelstore.data.hub_client import HubError
from modelstore.data.hub_download import HubRecord, Snapshot, cached_snapshot, fetch
from modelstore.data.hub_listing import Listed, listed
from modelstore.data.hub_upload import upload
from modelstore.data.model_directory import ADAPTER, loadable_directory
from modelstore.data.model_weights import choose_weights, is_index, shards_of
from modelstore.data.published_files import published_files
from modelstore.data.remote import is_remote, without_scheme
from modelstore.data.remote_models import copied_model
from modelstore.data.sentence_transformers import MODULES
from modelstore.errors import ModelError, StoreError, reason_of

SCHEME = "hf://"
_REPOSITORY = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)
_TARGET = re.compile(r"hf://([\w.-]+/[\w.-]+)", re.ASCII)
_MODEL_ADDRESS = re.compile(r"hf://((?:[\w.-]+/)?[\w.-]+)(?:@(.+))?")
# The suffixes of a model's config, tokenizer and image processor.
_SETTINGS = (".json", ".txt", ".model", ".tiktoken", ".jinja")
_MODULE = re.compile(r"\d+_\w+")  # the folders of sentence-transformers


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
    record
        The hub's record of the model's repository, empty where the hub was not asked.
    """

    name: str
    path: Path
    revision: str | None = None
    record: HubRecord = field(default=HubRecord(), compare=False)


class ModelRefs(Mapping[str, ModelRef]):
    """Models by name; each uri is resolved once, when its model is first looked up.

    So one model whose files are missing fails alone. A look-up raises what `resolve_model` raises.

    Parameters
    ----------
    uris
        The models' uris by name.
    faults
        The errors that a look-up raises of models that cannot be used, by name.
    """

    def __init__(self, uris: Mapping[str, str], faults: Mapping[str, ModelError] | None = None):
        self._uris = uris
        self._faults = faults or {}
        self._resolved: dict[str, ModelRef] = {}

    def __getitem__(self, name: str) -> ModelRef:
        if name in self._faults:
            raise self._faults[name]
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
        check_hub(uri)
        snapshot = fetch_model(uri)
        path = snapshot.path
        try:
            return ModelRef(name, loadable_directory(path, _directory_of), path.name, snapshot.record)
        except ModelError as error:  # the cache's folder says little to people
            raise ModelError(str(error).replace(str(path), uri)) from error
    instead = "give a local directory in the Hugging Face layout, or hf://owner/name"
    if is_remote(uri):
        check_hub(uri)
        try:
            return ModelRef(name, loadable_directory(local_path(uri, "model"), _directory_of))
        except (OSError, StoreError) as error:
            raise ModelError(f"model {uri} cannot be read ({reason_of(error)})") from error
    try:
        path = Path(absolute_uri(uri))
        check_directory(str(path))
        is_directory, exists = path.is_dir(), path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, an unknown ~user
        raise ModelError(
            f"model {uri[:200]} is no path that can be read ({reason_of(error)}): {instead}"
        ) from error
    if not is_directory:
        fault = "is not a directory" if exists else "does not exist"
        raise ModelError(f"model {uri[:200]} {fault}: {instead}")
    return ModelRef(name, loadable_directory(path, _directory_of))


def _directory_of(uri: str) -> Path:
    """The directory of an adapter's base model."""
    return resolve_model(uri, uri).path


def is_on_hub(uri: str) -> bool:
    """Whether ``uri`` is an address on the hub."""
    return uri.startswith(SCHEME)


def absolute_uri(uri: str) -> str:
    """``uri`` as the catalog keeps it: an address on the hub or an url as it is, a path made absolute."""
    if is_on_hub(uri) or is_remote(uri):
        return uri
    return str(Path(without_scheme(uri)).expanduser().absolute())


def local_path(uri: str, kind: str) -> Path:
    """Where the files at ``uri`` are on this machine now, without asking the hub; an url's are fetched.

    Parameters
    ----------
    uri
        A path, which need not exist, or an address on the hub.
    kind
        ``model`` or ``dataset``.

    Raises
    ------
    OSError
        If the hub's cache does not have them, or an url cannot be read.
    """
    if is_remote(uri):
        return copied_model(uri)
    if not is_on_hub(uri):
        return Path(absolute_uri(uri))
    repository, revision = _repository(uri)
    snapshot = cached_snapshot(repository, revision, kind)
    if snapshot is None:
        raise FileNotFoundError(f"{uri} is not in the hub's cache")
    return snapshot


def must_be_fetched(uri: str, kind: str) -> bool:
    """Whether files have to come from the hub before they can be used, without asking the hub.

    Parameters
    ----------
    uri, kind
        As in `local_path`.
    """
    if not is_on_hub(uri):
        return False
    try:
        snapshot = local_path(uri, kind)
    except (OSError, ValueError):  # ValueError: the hub's client takes it for no address
        return True
    if kind == "dataset":
        return not snapshot.is_dir()
    try:
        _model_files(uri, [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*")])
    except ModelError:  # no weights among them
        return True
    return False


def repository_of(uri: str | None) -> str | None:
    """The repository that an address on the hub names, ``owner/name`` or ``name``; None for any other uri."""
    if uri is None or not is_on_hub(uri):
        return None
    repository = _repository(uri)[0]
    return repository if _REPOSITORY.fullmatch(repository) else None


def address_of(name: str) -> str | None:
    """The address on the hub of a model that is called as its repository there; None where none can be called so."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return SCHEME + name


def list_models(uris: Sequence[str]) -> list[Listed | None]:
    """What the hub says of the models at some of its addresses, as `listed` does."""
    return listed([_repository(uri) for uri in uris], _model_files)


def _repository(uri: str) -> tuple[str, str | None]:
    """The repository of an address on the hub, and its revision if it names one."""
    repository, _, revision = uri.removeprefix(SCHEME).removeprefix("datasets/").partition("@")
    return "/".join(repository.split("/")[:2]), revision or None  # a third part is a dataset's configuration


def fetch_model(uri: str) -> Snapshot:
    """Fetches the files that a model is loaded from into the hub's cache. Raises ``ModelError``."""
    repository, revision = model_address(uri)
    try:
        with Fetch(uri) as fetching:
            snapshot = fetch(
                repository, revision, "model", lambda names: _model_files(uri, names), fetching.prepare
            )
    except HubError as error:
        raise ModelError(f"model {uri} {error}") from None
    note_use(repository, snapshot.path.name)
    return snapshot


def model_address(uri: str) -> tuple[str, str | None]:
    """The repository of a model on the hub, and its revision if the address names one.

    Raises
    ------
    ModelError
        If it is no such address.
    """
    match = _MODEL_ADDRESS.fullmatch(uri)
    if match is None:
        raise ModelError(
            f"model {uri} is no address on the hub: write hf://owner/name or hf://owner/name@revision"
        )
    return match[1], match[2]


def publish_model(name: str, uri: str, address: str, private: bool | None = None) -> str:
    """Publishes a model on the hub: its weights, settings and card, in one commit.

    Parameters
    ----------
    name, uri
        The model, and where it is.
    address
        ``hf://owner/name``; a repository that is not there is made.
    private
        Whether the repository is private; None: as the owner's account says, or as the repository is.

    Returns
    -------
    str
        The commit.

    Raises
    ------
    ModelError
        If the model cannot be read, or the hub does not take it.
    duckdb.PermissionException
        If statements may not reach the hub.
    """
    if is_on_hub(uri):
        raise ModelError(f'the model "{name}" is on the hub already, at {uri}')
    if uri.endswith(".json"):
        raise ModelError(
            f'the model "{name}" is an ensemble of several models, each in a folder of its own: publish each of them'
        )
    match = _TARGET.fullmatch(address)
    if match is None:
        raise ModelError(
            f"{address[:200]} is no address that can be published to: write hf://owner/name, with your name on the "
            "hub, or your organisation's"
        )
    check_hub(address)
    found = resolve_model(name, uri)
    files = published_files(found.path, is_made=found.path != local_path(uri, "model"))
    try:
        return upload(files, match[1], private)
    except HubError as error:
        raise ModelError(f'the model "{name}" is not published: {address} {error}') from None


def _model_files(uri: str, names: Sequence[str]) -> list[str]:
    """The files to fetch of a model's repository: settings, card, and one set of weights.

    Raises ModelError if it has no weights that can be read.
    """
    folders = {""}
    if MODULES in names:
        folders |= {name.partition("/")[0] for name in names if "/" in name and _MODULE.match(name)}
    inside: dict[str, list[str]] = {
        folder: [Path(name).name for name in names if name.rpartition("/")[0] == folder] for folder in folders
    }
    wanted = [
        f"{folder}/{name}".lstrip("/")
        for folder, files in inside.items()
        for name in files
        if name.endswith(_SETTINGS) or name == "README.md"
    ]
    home = min((folder for folder, files in inside.items() if "config.json" in files), default="")
    adapters = [name for name in ("adapter_model.safetensors", "adapter_model.bin") if name in inside[""]]
    try:
        chosen = choose_weights(uri, inside[home])
    except ModelError:
        if ADAPTER not in inside[""] or not adapters:
            raise
        return [*wanted, adapters[0]]
    weights = [chosen, *(shards_of(chosen, inside[home]) if is_index(chosen) else [])]
    return [*wanted, *(f"{home}/{name}".lstrip("/") for name in weights)]
