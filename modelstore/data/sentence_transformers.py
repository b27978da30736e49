"""The layout of sentence-transformers: where the transformer is, and how its tokens are pooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelstore.data.bounded_files import read_bounded
from modelstore.data.lfs_pointer import check_is_no_pointer
from modelstore.data.model_config import read_json
from modelstore.data.model_limits import MOST_SETTINGS, shown
from modelstore.errors import ModelError, reason_of

MODULES = "modules.json"
# The names of the ways to pool, and the key of each in a Pooling module's config, in the order of their features.
POOLINGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def transformer_folder(path: Path) -> Path:
    """The folder of the transformer in the model directory ``path``: itself, or what its modules.json says.

    Raises
    ------
    ModelError
        If the modules.json cannot be read, or begins with something else than a transformer.
    """
    if not (path / MODULES).is_file():
        return path
    modules = _modules(path)
    first = modules[0] if modules else {}
    folder = path / str(first.get("path", ""))
    if (folder / "config.json").is_file() and str(first.get("type", "")).endswith("Transformer"):
        return folder
    if (path / "config.json").is_file():
        return path
    kind = str(first.get("type", "nothing")).rpartition(".")[2]
    raise ModelError(
        f"{path / MODULES} begins with {kind} in {folder}, which is no transformer that can be fine-tuned: give a "
        "model whose first module is a Transformer"
    )


def pooling_of(path: Path) -> tuple[str, ...]:
    """How a model pools its tokens to one vector, of `POOLINGS`: as its Pooling module says, else by their mean.

    Raises
    ------
    ModelError
        If the module pools in another way.
    """
    for folder in pooling_folders(path):
        if (path / folder / "config.json").is_file():
            return _poolings(path / folder / "config.json")
    return ("mean",)


def pooling_folders(path: Path) -> list[str]:
    """The folders in the model directory ``path`` that its Pooling modules are in."""
    if not (path / MODULES).is_file():
        return []
    return [
        str(module["path"])
        for module in _modules(path)
        if str(module.get("type", "")).endswith(".Pooling") and (path / str(module.get("path", ""))).is_dir()
    ]


def _modules(path: Path) -> list[dict[str, Any]]:
    file = path / MODULES
    check_is_no_pointer(file)
    try:
        modules = json.loads(read_bounded(file, MOST_SETTINGS))
        if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
            raise ValueError("it is not a list of modules")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {reason_of(error)}") from error
    outside = [module for module in modules if ".." in Path(str(module.get("path", ""))).parts]
    outside += [module for module in modules if Path(str(module.get("path", ""))).is_absolute()]
    if outside:
        raise ModelError(f"{file} names the folder {outside[0]['path']}, which is outside of the model's own")
    wrong = [module for module in modules if not isinstance(module.get("idx", 0), int)]
    if wrong:
        raise ModelError(f"{file} has {shown('idx', wrong[0]['idx'])}: it is a whole number")
    return sorted(modules, key=lambda module: int(module.get("idx", 0)))


def _poolings(file: Path) -> tuple[str, ...]:
    config = read_json(file)
    stated = config.get("pooling_mode")
    if stated:  # versions from 5 on write the names
        names = tuple(stated.split("+")) if isinstance(stated, str) else _names(file, stated)
    else:
        names = tuple(name for name, key in POOLINGS.items() if config.get(key))
    unknown = [name for name in names if name not in POOLINGS]
    if unknown or not names:
        said = f"pools by '{unknown[0]}'" if unknown else "says no way to pool"
        raise ModelError(f"{file} {said}: give one of {', '.join(POOLINGS)}")
    return names


def _names(file: Path, stated: object) -> tuple[str, ...]:
    if not isinstance(stated, list) or not all(isinstance(name, str) for name in stated):
        raise ModelError(f"{file} has {shown('pooling_mode', stated)}: it is a name, or a list of names")
    return tuple(stated)
