"""Models on the hub, described by its answers and their small files: their weights stay there until needed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from modelstore.data.card_metadata import CardMetadata, metadata_of
from modelstore.data.hub import ModelRef, fetch_model, model_address, must_be_fetched
from modelstore.data.hub_client import patiently
from modelstore.data.hub_download import HubRecord, reason_not_fetched, record_of
from modelstore.data.made_models import ADAPTER
from modelstore.data.model_info import MOST_CARD, ModelInfo, inspect_model
from modelstore.data.model_limits import MOST_SETTINGS
from modelstore.data.model_preprocessor import VOCABULARIES
from modelstore.data.model_weights import choose_weights, is_parameter, is_quantized
from modelstore.errors import ModelError

_CONFIG, _CARD, _TOKENIZER = "config.json", "README.md", "tokenizer_config.json"
_OF_FLOATS = {"F64", "F32", "F16", "BF16", "I64", "BOOL"}  # the types of a model that is surely not quantised


@dataclass(frozen=True)
class HubAnswer:
    """What the hub has told of a model.

    Parameters
    ----------
    names
        The files at the root of its repository.
    files
        The contents of those that describe it.
    parameters
        How many it has; None where only its weights tell.
    said
        What its card's metadata says.
    record
        How the hub sees it.
    """

    names: Sequence[str]
    files: Mapping[str, bytes]
    parameters: int | None
    said: CardMetadata
    record: HubRecord


def ask_hub(uri: str) -> HubAnswer | None:
    """Asks the hub for what describes a model, which is a few small files of it.

    None where only all of its files tell, which are fetched then: those of an adapter, of a model in pickles, of a
    sentence-transformer with folders; or where the hub cannot be reached and its cache has them.

    Raises
    ------
    ModelError
        If there is no such model, it has no weights, or the hub cannot give it; where its weights are to be fetched,
        also if it cannot be fine-tuned.
    """
    repository, revision = model_address(uri)
    try:
        answer = _ask(uri, repository, revision)
    except duckdb.Error:
        raise
    except Exception as error:  # the client raises many kinds: network, login, names
        if must_be_fetched(uri, "model"):
            reason = reason_not_fetched(error, repository, revision, "model")
            raise ModelError(f"model {uri} {reason}") from None  # it may hold the request's headers
        return None
    if answer is not None and answer.parameters is not None:
        return answer
    if answer is not None:
        describe_answer("", uri, answer)  # whose weights might be fetched in vain
    fetch_model(uri)
    return None


def describe_answer(name: str, uri: str, answer: HubAnswer) -> ModelInfo:
    """Describes a model by the hub's answer, as `inspect_model` does by its files.

    Raises
    ------
    ModelError
        If it cannot be fine-tuned.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for file in answer.names:  # of most files their being there is all that counts
            (path / file).write_bytes(answer.files.get(file, b""))
        try:
            return inspect_model(ModelRef(name, path), answer.parameters or 0)
        except ModelError as error:
            raise ModelError(str(error).replace(folder, uri)) from error


def _ask(uri: str, repository: str, revision: str | None) -> HubAnswer | None:
    from huggingface_hub import HfApi

    info = patiently(lambda: HfApi().model_info(repository, revision=revision), repository)
    names = [file.rfilename for file in info.siblings or []]
    at_root = [name for name in names if "/" not in name]
    if ADAPTER in at_root or any(name.startswith("0_") for name in names):
        return None
    if _CONFIG not in at_root:
        raise ModelError(f"model {uri} has no config.json: it is not a repository in the Hugging Face layout")
    is_plain = choose_weights(uri, at_root) in ("model.safetensors", "model.safetensors.index.json")
    parameters = _parameters(uri, repository, info) if is_plain else None
    wanted = {_CONFIG: MOST_SETTINGS, _CARD: MOST_CARD}
    if not any(Path(name).match(pattern) for name in at_root for pattern in VOCABULARIES):
        wanted[_TOKENIZER] = MOST_SETTINGS  # it may need none
    files = {
        name: _beginning(repository, info.sha, name, most) for name, most in wanted.items() if name in at_root
    }
    settings = [
        name for name in at_root if Path(name).suffix in (".json", ".txt", ".model", ".tiktoken", ".md")
    ]
    said = metadata_of(getattr(info.card_data, "__dict__", None))
    return HubAnswer(settings, files, parameters, said, record_of(info))


def counted_parameters(info: Any) -> int | None:
    """The parameters of a model as the hub counts them; None where it does not, or where they may be quantised."""
    counted = {} if info.safetensors is None else dict(info.safetensors.parameters)
    if not counted or not counted.keys() <= _OF_FLOATS:
        return None
    return sum(count for type, count in counted.items() if "F" in type)


def _parameters(uri: str, repository: str, info: Any) -> int:
    """The parameters of a model in safetensors files: as the hub counts them, or as their headers say."""
    counted = counted_parameters(info)
    if counted is not None:
        return counted
    from huggingface_hub import HfApi

    headers = patiently(
        lambda: HfApi().get_safetensors_metadata(repository, revision=info.sha), repository
    ).files_metadata
    tensors = {name: tensor for header in headers.values() for name, tensor in header.tensors.items()}
    whole = [name for name, tensor in tensors.items() if is_quantized(name, tensor.dtype)]
    if whole:
        raise ModelError(
            f"model {uri} has quantised weights ({whole[0]} is of type {tensors[whole[0]].dtype}), which cannot be "
            "fine-tuned: give the model that it was made from"
        )
    return sum(math.prod(one.shape) for name, one in tensors.items() if is_parameter(name, one.dtype))


def _beginning(repository: str, commit: str, name: str, most: int) -> bytes:
    """The first bytes of a file, at most so many."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(repository, name, revision=commit)

    def get() -> bytes:
        content = bytearray()
        with get_session().stream("GET", url, headers=build_hf_headers(), follow_redirects=True) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            for piece in response.iter_bytes():
                content += piece
                if len(content) >= most:
                    break
        return bytes(content[:most])

    return patiently(get, repository)
