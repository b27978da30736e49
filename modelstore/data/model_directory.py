"""Makes a directory that transformers can load of a model as people bring it.

Most models are such a directory. Others have pickled weights, the weights of a variant such as ``fp16`` only, an
``id2label`` that transformers cannot read, or an adapter of a base model. Of those, a directory in the cache is made
once: new weights where they change, links to the other files.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelstore.data.bounded_files import read_beginning
from modelstore.data.confinement import check_links, without_files_elsewhere
from modelstore.data.made_models import ADAPTER, directory_in_cache, link_settings, make_directory
from modelstore.data.model_adapter import merge_adapter
from modelstore.data.model_config import is_of_timm, read_config, read_json
from modelstore.data.model_limits import check_files
from modelstore.data.model_weights import Weights, find_weights
from modelstore.data.pickled_weights import convert
from modelstore.data.sentence_transformers import pooling_folders, transformer_folder
from modelstore.errors import ModelError
from modelstore.progress import notify

_PREPROCESSOR = "preprocessor_config.json"
_TOKENIZER = "tokenizer_config.json"


def loadable_directory(path: Path, resolve_base: Callable[[str], Path]) -> Path:
    """The directory to load the model at ``path`` from: itself, or one that is made of it in the cache.

    Parameters
    ----------
    path
        The model's directory.
    resolve_base
        Finds the directory of an adapter's base model by its uri.

    Raises
    ------
    ModelError
        If it has no weights that can be read, or the directory cannot be made.
    """
    check_links(path)
    check_files(path)
    if _is_adapter(path):
        return merge_adapter(path, resolve_base)
    folder = transformer_folder(path)
    if folder != path:
        check_files(folder)
    if not (folder / "config.json").is_file():
        return folder  # whoever reads it says so
    settings = _settings_to_write(folder)
    weights = find_weights(folder)
    if not settings and _are_plain(weights) and folder == path and not (path / ADAPTER).exists():
        return path
    target = directory_in_cache([path, folder])
    if not target.is_dir():
        if weights.variant is not None:
            notify(
                f"the model {path} has weights of the variant {weights.variant} only: {weights.files[0].name} is read"
            )
        if weights.pickled:
            notify(
                f"the weights of model {path} are pickled ({(weights.index or weights.files[0]).name}): they are "
                f"converted to safetensors once, into {target}"
            )
        make_directory(target, lambda partial: _fill(partial, path, folder, settings, weights))
    return target


def _is_adapter(path: Path) -> bool:
    """Whether ``path`` has an adapter and no model of its own."""
    if not (path / ADAPTER).is_file():
        return False
    if not (path / "config.json").is_file():
        return True
    try:
        find_weights(path)
    except ModelError:
        return any(path.glob("adapter_model.*"))
    return False


def _are_plain(weights: Weights) -> bool:
    """Whether transformers reads these weights as they are: it wants ``metadata`` in an index, whatever it is."""
    if weights.pickled or weights.variant is not None:
        return False
    return weights.index is None or "metadata" in read_json(weights.index)


def _settings_to_write(folder: Path) -> dict[str, dict[str, Any]]:
    """The files of settings that transformers cannot read as they are, by name, as it can read them."""
    written = {
        "config.json": _config_to_write(folder),
        _PREPROCESSOR: _preprocessor_to_write(folder),
        _TOKENIZER: _tokenizer_to_write(folder),
    }
    return {name: content for name, content in written.items() if content is not None}


def _tokenizer_to_write(folder: Path) -> dict[str, Any] | None:
    """The tokenizer's settings without files elsewhere, which it might read; None where they name none."""
    file = folder / _TOKENIZER
    return without_files_elsewhere(folder, read_json(file)) if file.is_file() else None


def _preprocessor_to_write(folder: Path) -> dict[str, Any] | None:
    """The image processor's settings without the names that transformers has given up; None where it has none."""
    if not (folder / _PREPROCESSOR).is_file():
        return None
    settings = read_json(folder / _PREPROCESSOR)
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or "")
    if kind == "ImageFeatureExtractionMixin":  # no class of its own: the model's type says which
        return {key: value for key, value in settings.items() if value != kind}
    if str(settings.get("image_processor_type")).endswith("FeatureExtractor"):
        return settings | {"image_processor_type": kind.replace("FeatureExtractor", "ImageProcessor")}
    return None


def _config_to_write(folder: Path) -> dict[str, Any] | None:
    """The config as transformers can read it; None where it can read the one that is there."""
    if read_beginning(folder / "config.json", 3)[0].startswith(codecs.BOM_UTF8):
        return read_config(folder)
    given, config = read_json(folder / "config.json"), read_config(folder)
    if is_of_timm(given):
        return None  # transformers knows timm's
    if "auto_map" in given and "auto_map" not in config:
        return config
    names, read = given.get("id2label"), config.get("id2label")
    if names == read or (names is None and not given.get("label2id")):
        return None
    if (
        names is None
        and isinstance(given["label2id"], dict)
        and set(given["label2id"]) == {"LABEL_0", "LABEL_1"}
    ):
        return None  # transformers' default two
    return config


def _fill(
    directory: Path, root: Path, folder: Path, settings: dict[str, dict[str, Any]], weights: Weights
) -> None:
    for source in dict.fromkeys([root, folder]):  # what is in the folder stands before what is at the root
        link_settings(source, directory)
    for name in pooling_folders(root):
        (directory / name).symlink_to((root / name).resolve())
    (directory / "config.json").symlink_to((folder / "config.json").resolve())
    for name, content in settings.items():
        (directory / name).unlink()
        (directory / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    names = {file.name: _name_of_weights(file.name, weights) for file in weights.files}
    for file in weights.files:
        if weights.pickled:
            convert(file, directory / names[file.name])
        else:
            (directory / names[file.name]).symlink_to(file.resolve())
    if weights.index is not None:
        index = read_json(weights.index)
        index.setdefault("metadata", {})
        index["weight_map"] = {name: names[shard] for name, shard in index["weight_map"].items()}
        (directory / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _name_of_weights(name: str, weights: Weights) -> str:
    """The name that transformers expects of the file ``name`` of some weights."""
    if weights.index is None:
        return "model.safetensors"
    return name if name.endswith(".safetensors") else name.removesuffix(".bin") + ".safetensors"
