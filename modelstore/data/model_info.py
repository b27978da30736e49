"""What a model directory holds, read from its config and its weights' headers without loading it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
TOKENIZERS_WITHOUT_VOCABULARY = ("CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer")
IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
CLASSIFIER = re.compile(r"For(Sequence|Image)Classification")


@dataclass(frozen=True)
class ModelInfo:
    """A model directory in the Hugging Face layout, as its files describe it."""

    uri: str
    path: Path
    modality: str  # text | image
    architecture: str  # the config's first architecture, else its model_type
    parameters: int  # the embeddings' included
    labels: tuple[str, ...]  # the classes that its head was trained on, by id; () without such a head
    has_head: bool  # its last layer is a trained single-label classifier of two classes or more
    card: str | None  # README.md


def inspect_model(uri: str) -> ModelInfo:
    """Describes the model at `uri`: a local directory, or `hf://owner/name[@revision]`.

    Raises ModelError for a directory that is not there or cannot be fine-tuned: no readable config.json, no
    safetensors weights or broken ones, code of its own, no tokenizer or image processor, another modality.
    """
    path = resolve(uri)
    config = read_config(path)
    if "auto_map" in config:
        raise ModelError(
            f"model {path} needs Python code of its own (auto_map in its config.json), which is never run: "
            "give a model of an architecture that transformers has built in"
        )
    modality = modality_of(path, config)
    parameters = _count_parameters(path)
    _check_preprocessor(path, modality)
    has_head = has_classification_head(config)
    card = path / "README.md"
    return ModelInfo(
        uri=uri,
        path=path,
        modality=modality,
        architecture=_architecture(config),
        parameters=parameters,
        labels=label_names(config) if has_head else (),
        has_head=has_head,
        card=card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None,
    )


def resolve(uri: str) -> Path:
    """The local directory of `uri`; one on the hub is fetched into the hub's own cache if it is not there.

    Raises ModelError if there is no such directory, or the hub cannot give it.
    """
    if uri.startswith("hf://"):
        return _fetch(uri)
    path = Path(uri).expanduser()
    if not path.is_dir():
        fault = "is not a directory" if path.exists() else "does not exist"
        raise ModelError(
            f"model {uri} {fault}: give a local directory in the Hugging Face layout, or hf://owner/name"
        )
    return path.absolute()


def read_config(path: Path) -> dict[str, Any]:
    """The config.json of the model directory `path`; ModelError if it is missing or unreadable."""
    file = path / "config.json"
    if not file.is_file():
        raise ModelError(f"model {path} has no config.json: it is not a directory in the Hugging Face layout")
    config = _read_json(file)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(f"{file} has no model_type, which says what architecture the model is")
    if not isinstance(config.get("id2label", {}), dict):
        raise ModelError(f"{file} has an id2label that is not an object of class names by id")
    return config


def modality_of(path: Path, config: dict[str, Any]) -> str:
    """'text' or 'image': which kind of classifier transformers can make of the model.

    Raises ModelError where it can make neither.
    """
    # This import is torch's too; there is no lighter list of what transformers can classify with.
    from transformers.models.auto import modeling_auto

    model_type = config["model_type"]
    text = model_type in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    image = model_type in modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    if text and image:  # Perceiver
        return "image" if "Image" in _architecture(config) else "text"
    if text or image:
        return "text" if text else "image"
    raise ModelError(
        f"model {path} is of type '{model_type}', which transformers can make neither a text nor an image "
        "classifier of: give a text or an image encoder"
    )


def has_classification_head(config: dict[str, Any]) -> bool:
    """Whether the weights end in a trained classifier that gives one of two classes or more."""
    return (
        CLASSIFIER.search(_architecture(config)) is not None
        and config.get("problem_type") in (None, "single_label_classification")
        and len(label_names(config)) >= 2
    )


def label_names(config: dict[str, Any]) -> tuple[str, ...]:
    """The class names of a config by id; transformers writes none down where they are its default two."""
    id2label = config.get("id2label")
    if not id2label:
        return tuple(f"LABEL_{i}" for i in range(int(config.get("num_labels", 2))))
    return tuple(str(id2label[i]) for i in sorted(id2label, key=int))


def _architecture(config: dict[str, Any]) -> str:
    return str((config.get("architectures") or [config["model_type"]])[0])


def _fetch(uri: str) -> Path:
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@(.+))?", uri)
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
                    allow_patterns=["*.safetensors", "*.json", "*.txt", "*.model", "README.md"],
                    ignore_patterns=["*/*"],  # exports to other runtimes live in subfolders
                )
            )
    except Exception as error:  # the client raises many kinds: network, login, names, disk
        raise ModelError(
            f"model {uri} could not be fetched from the hub, nor is it in the cache: {first_line(error)}"
        ) from error


def _count_parameters(path: Path) -> int:
    """The number of parameters in the safetensors files that transformers would load."""
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if single.is_file():
        files = [single]
    elif index.is_file():
        weight_map = _read_json(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise ModelError(f"{index} has no weight_map, which says what file each weight is in")
        files = [path / shard for shard in sorted(set(weight_map.values()))]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise ModelError(f"model {path} lacks {missing[0]}, one of the {len(files)} files of its weights")
    elif pickled := sorted(file.name for file in path.iterdir() if file.suffix in PICKLES):
        raise ModelError(
            f"model {path} has its weights pickled only ({pickled[0]}), and unpickling can run any code: "
            "convert them to safetensors (load once where you trust them, then save_pretrained)"
        )
    else:
        raise ModelError(
            f"model {path} has no weights: a model.safetensors file is wanted (or its shards and their index); "
            "pickled weights such as pytorch_model.bin are not read"
        )
    return sum(_parameters_in(file) for file in files)


def _parameters_in(file: Path) -> int:
    """The number of trainable values in one safetensors file, whose header is checked against its size."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            header_size = int.from_bytes(stream.read(8), "little")
            if header_size > size:
                raise ValueError("its header is longer than the file")
            header = json.loads(stream.read(header_size))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        end = 8 + header_size + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if end != size:
            raise ValueError(f"its header speaks of {end} bytes and there are {size}")
        return sum(
            math.prod(tensor["shape"])
            for name, tensor in tensors.items()
            # Integers are buffers (position ids, counters), and so are a batch norm's statistics.
            if "F" in tensor["dtype"] and not name.endswith(("running_mean", "running_var"))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{file} is no complete safetensors file ({error}): download or save it again"
        ) from error


def _check_preprocessor(path: Path, modality: str) -> None:
    if modality == "image":
        if not any((path / name).is_file() for name in IMAGE_PROCESSORS):
            raise ModelError(
                f"model {path} has no image processor: a preprocessor_config.json is wanted, as "
                "AutoImageProcessor.save_pretrained writes it"
            )
    elif not any(any(path.glob(name)) for name in VOCABULARIES):
        file = path / "tokenizer_config.json"
        name = _read_json(file).get("tokenizer_class") if file.is_file() else None
        if name not in TOKENIZERS_WITHOUT_VOCABULARY:
            raise ModelError(
                f"model {path} has no tokenizer: a tokenizer.json (or vocab.txt, vocab.json, *.model) is "
                "wanted, as AutoTokenizer.save_pretrained writes it"
            )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} is not a JSON object")
    return content
