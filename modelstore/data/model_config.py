"""A model directory's config.json: its modality, its architecture and its classes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError

_CLASSIFIER = re.compile(r"For(Sequence|Image)Classification")


def read_config(path: Path) -> dict[str, Any]:
    """Reads the config.json of the model directory ``path``.

    Raises
    ------
    ModelError
        If it is missing or unreadable.
    """
    file = path / "config.json"
    if not file.is_file():
        raise ModelError(f"model {path} has no config.json: it is not a directory in the Hugging Face layout")
    config = read_json(file)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(f"{file} has no model_type, which says what architecture the model is")
    if not isinstance(config.get("id2label", {}), dict):
        raise ModelError(f"{file} has an id2label that is not an object of class names by id")
    return config


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file that holds a JSON object.

    Raises
    ------
    ModelError
        If it cannot be read, or holds something else.
    """
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} is not a JSON object")
    return content


def modality_of(path: Path, config: dict[str, Any]) -> str:
    """'text' or 'image': which kind of classifier transformers can make of the model.

    Raises
    ------
    ModelError
        If it can make neither; ``path`` is named in the message.
    """
    # This import loads torch too; transformers has no lighter list of the types that it can classify with.
    from transformers.models.auto import modeling_auto

    model_type = config["model_type"]
    text = model_type in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    image = model_type in modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    if text and image:  # Perceiver
        return "image" if "Image" in architecture_of(config) else "text"
    if text or image:
        return "text" if text else "image"
    raise ModelError(
        f"model {path} is of type '{model_type}', which transformers can make neither a text nor an image "
        "classifier of: give a text or an image encoder"
    )


def architecture_of(config: dict[str, Any]) -> str:
    """The first architecture that a config names, else its ``model_type``."""
    return str((config.get("architectures") or [config["model_type"]])[0])


def has_classification_head(config: dict[str, Any]) -> bool:
    """Whether the weights end in a trained single-label classifier of two classes or more."""
    return (
        _CLASSIFIER.search(architecture_of(config)) is not None
        and config.get("problem_type") in (None, "single_label_classification")
        and len(label_names(config)) >= 2
    )


def label_names(config: dict[str, Any]) -> tuple[str, ...]:
    """The class names of a config by id; transformers does not write them where they are its default two."""
    id2label = config.get("id2label")
    if not id2label:
        return tuple(f"LABEL_{i}" for i in range(int(config.get("num_labels", 2))))
    return tuple(str(id2label[i]) for i in sorted(id2label, key=int))
