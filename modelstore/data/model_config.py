"""A model directory's config.json: its modality, its architecture and its classes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelstore.data.bounded_files import read_bounded
from modelstore.data.lfs_pointer import check_is_no_pointer
from modelstore.data.model_limits import MOST_SETTINGS, check_config
from modelstore.errors import ModelError, reason_of
from modelstore.tasks import CLASS, TAGS

NAMED = 5  # folders that a message names
_CLASSIFIER = re.compile(r"For(Sequence|Image)Classification")


def read_config(path: Path) -> dict[str, Any]:
    """Reads the config.json of the model directory ``path``, and brings it into the form that transformers reads.

    ``id2label`` may be written in several ways (`_names_by_id`). A config of timm gets the ``model_type`` by which
    transformers calls it.

    Raises
    ------
    ModelError
        If it is missing or unreadable.
    """
    file = path / "config.json"
    if not file.is_file():
        raise ModelError(
            f"model {path} has no config.json: it is not a directory in the Hugging Face layout{_config_below(path)}"
        )
    config = read_json(file)
    if is_of_timm(config):
        config["model_type"] = "timm_wrapper"
    if not isinstance(config.get("model_type"), str):
        raise ModelError(f"{file} has no model_type, which says what architecture the model is")
    check_config(file, config)
    if not config.get("auto_map"):  # an empty one asks for no code
        config.pop("auto_map", None)
    names = _names_by_id(file, config)
    if names is None:
        config.pop("id2label", None)
    else:
        config["id2label"] = {str(i): name for i, name in enumerate(names)}
        config["label2id"] = {name: i for i, name in enumerate(names)}
    return config


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file that holds a JSON object.

    Raises
    ------
    ModelError
        If it cannot be read, or holds something else.
    """
    check_is_no_pointer(file)
    try:
        content = json.loads(read_bounded(file, MOST_SETTINGS))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {reason_of(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} is not a JSON object")
    return content


def is_of_timm(config: Mapping[str, Any]) -> bool:
    """Whether a config is written by timm, which has no ``model_type``."""
    return "model_type" not in config and "architecture" in config and "pretrained_cfg" in config


def modality_of(path: Path, config: dict[str, Any]) -> str:
    """'text' or 'image': which kind of classifier transformers can make of the model.

    Raises
    ------
    ModelError
        If it can make neither; ``path`` is named in the message.
    """
    # This import loads torch too; transformers has no lighter list of the types that it can classify with.
    import transformers
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    model_type = config["model_type"]
    text = model_type in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    image = model_type in modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    if text and image:  # Perceiver
        return "image" if "Image" in architecture_of(config) else "text"
    if text or image:
        return "text" if text else "image"
    if model_type not in CONFIG_MAPPING_NAMES:
        raise ModelError(
            f"model {path} is of type '{model_type}', which the installed transformers {transformers.__version__} "
            "does not have: give a model of a type that it has, or install a version that has it"
        )
    raise ModelError(
        f"model {path} is of type '{model_type}', which transformers can make neither a text nor an image "
        "classifier of: give a text or an image encoder"
    )


def architecture_of(config: dict[str, Any]) -> str:
    """The first architecture that a config names, else timm's, else its ``model_type``."""
    named = config.get("architectures") or [config.get("architecture") or config["model_type"]]
    return str(named[0])


def has_classification_head(config: dict[str, Any]) -> bool:
    """Whether the weights end in a trained single-label classifier of two classes or more."""
    return head_problem_type(config) == CLASS.problem_type and len(label_names(config)) >= 2


def head_problem_type(config: dict[str, Any]) -> str | None:
    """What transformers calls the task of the trained head that the weights end in; None where they end in none."""
    if config["model_type"] == "timm_wrapper":
        return CLASS.problem_type
    if "ForTokenClassification" in architecture_of(config):
        return TAGS.problem_type
    if _CLASSIFIER.search(architecture_of(config)) is None:
        return None
    return config.get("problem_type") or CLASS.problem_type


def check_labels_tokens(model: str, config: dict[str, Any]) -> None:
    """Raises ModelError where transformers has no token classifier of a model's type."""
    from transformers.models.auto import modeling_auto

    kind = config["model_type"]
    if kind not in modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES:
        raise ModelError(
            f"model {model} is of type '{kind}', which transformers makes no token classifier of: leave it out with "
            "WHERE"
        )


def label_names(config: dict[str, Any]) -> tuple[str, ...]:
    """The class names of a config by id; transformers does not write them where they are its default two."""
    if config["model_type"] == "timm_wrapper":
        names = config.get("label_names")
        if isinstance(names, list):
            return tuple(str(name) for name in names)
        return tuple(f"LABEL_{i}" for i in range(int(config.get("num_classes") or 0)))
    id2label = config.get("id2label")
    if not id2label:
        return tuple(f"LABEL_{i}" for i in range(int(config.get("num_labels") or 2)))
    return tuple(str(id2label[i]) for i in sorted(id2label, key=int))


def _names_by_id(file: Path, config: Mapping[str, Any]) -> list[str] | None:
    """The class names by id, from ``id2label`` or, where that has none, from ``label2id``; None where none are there.

    Names may be keyed by ids in any spelling; they may be a list; and ids may stand where the names should, as in
    ``{"neg": "0", "pos": "1"}``.
    """
    given, reverse = config.get("id2label"), config.get("label2id")
    if not given:
        return _inverted(reverse) if isinstance(reverse, dict) else None
    if isinstance(given, list) and all(isinstance(name, (str, int, float)) for name in given):
        return [str(name) for name in given]
    if isinstance(given, dict):
        ids = {key: _id(key) for key in given}
        if all(one is not None for one in ids.values()):
            return [str(given[key]) for key in sorted(given, key=lambda key: ids[key] or 0)]
        names = _inverted(given) or (_inverted(reverse) if isinstance(reverse, dict) else None)
        if names is not None:
            return names
    raise ModelError(
        f"{file} has an id2label that does not say which class each id is: write an object such as "
        '{"0": "negative", "1": "positive"}'
    )


def _inverted(ids: Mapping[str, Any]) -> list[str] | None:
    """The keys in the order of their values, where these are ids."""
    found = {name: _id(value) for name, value in ids.items()}
    if not ids or None in found.values() or len(set(found.values())) < len(ids):  # several names share an id
        return None
    return sorted(found, key=lambda name: found[name] or 0)


def _id(value: object) -> int | None:
    """The id that a key or value stands for: 3, "3" or "LABEL_3"; None for a name."""
    match = None if isinstance(value, bool) else re.fullmatch(r"(?:LABEL_)?(\d+)", str(value).strip(), re.I)
    return int(match[1]) if match else None


def _config_below(path: Path) -> str:
    """The end of an error's sentence: which folders in ``path`` have a config.json."""
    try:
        below = sorted(file.parent.name for file in path.glob("*/config.json"))
    except OSError:
        return ""
    if len(below) > 1:
        more = ", …" if len(below) > NAMED else ""
        return f"; its folders {', '.join(below[:NAMED])}{more} have one: give one of them"
    return f"; its folder {below[0]} has one, give that" if below else ""
