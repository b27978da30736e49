"""What a model needs that cannot be had here: weights in full precision, and packages that are not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError

# The packages that transformers needs for some types of models beside its own dependencies.
_PACKAGES = {"timm_wrapper": "timm", "dinat": "natten", "nat": "natten"}
_QUANTIZED = ("quantization_config", "compression_config")
_QUANTIZED_FILES = ("quantize_config.json", "quant_config.json")  # as AutoGPTQ and AutoAWQ write them


def check_is_not_quantized(path: Path, config: dict[str, Any]) -> None:
    """Checks that the weights of the model directory ``path`` are numbers that can be trained.

    Raises
    ------
    ModelError
        If its config says that they are quantised.
    """
    stated = next((config[key] for key in _QUANTIZED if config.get(key)), None)
    beside = [name for name in _QUANTIZED_FILES if (path / name).is_file()]
    if stated is None and not beside:
        return
    method = stated.get("quant_method") if isinstance(stated, dict) else None
    by = f" by {method}" if method else ""
    base = config.get("base_model_name_or_path") or config.get("_name_or_path")
    instead = f", perhaps {base}" if isinstance(base, str) and base and not Path(base).is_dir() else ""
    raise ModelError(
        f"model {path} is quantised{by}, and quantised weights cannot be fine-tuned: give the model that it was made "
        f"from{instead}"
    )


def check_requirements(path: Path, config: dict[str, Any]) -> None:
    """Checks that the packages are installed that transformers needs for a model's type.

    Raises
    ------
    ModelError
        If one is not.
    """
    package = _PACKAGES.get(config["model_type"])
    if package is None or find_spec(package) is not None:
        return
    what = "a model of timm" if package == "timm" else f"of type '{config['model_type']}'"
    raise ModelError(
        f"model {path} is {what}, for which transformers needs the package {package}, which is not installed: "
        f"pip install {package}"
    )
