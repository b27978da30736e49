"""Merges a PEFT adapter, such as LoRA's, into its base model, so that the result is an ordinary model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelstore.data.lfs_pointer import check_is_no_pointer
from modelstore.data.made_models import ADAPTER, directory_in_cache, link_settings, make_directory
from modelstore.data.model_config import modality_of, read_config, read_json
from modelstore.data.model_requirements import check_is_not_quantized
from modelstore.data.pickled_weights import convert
from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet
from modelstore.progress import notify
from modelstore.turns import turn

# The auto class by which the base model of an adapter for a task is loaded.
_AUTO_CLASSES = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "FEATURE_EXTRACTION": "AutoModel",
}
# Adapters that are inputs, which no weights of the base model can stand for.
_PROMPTS = ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT", "CPT")
_HEAD = re.compile(r"(?:^|\.)(?:classifier|score|out_proj|classification_head|head)\.weight$")
_EMBEDDINGS = re.compile(r"(?:embed_tokens|word_embeddings|wte)\.weight$")


def merge_adapter(path: Path, resolve_base: Callable[[str], Path]) -> Path:
    """Merges the adapter in the directory ``path`` into its base model, in a directory in the cache; once.

    Parameters
    ----------
    path
        The adapter's directory: ``adapter_config.json``, and its weights.
    resolve_base
        Finds the directory of the base model by its uri.

    Raises
    ------
    ModelError
        If the adapter or its base cannot be read, it is of a kind that cannot be merged, or the package peft is not
        installed.
    """
    config = read_json(path / ADAPTER)
    kind = str(config.get("peft_type"))
    if kind in _PROMPTS:
        raise ModelError(
            f"model {path} is an adapter of type {kind}, which cannot be merged into its base model: give an adapter "
            "of another type such as LORA, or the base model"
        )
    weights = _adapter_weights(path)
    if find_spec("peft") is None:
        raise ModelError(
            f"model {path} is an adapter of type {kind}, for which the package peft is needed, which is not "
            "installed: pip install 'modelstore[lora]'"
        )
    base = _base_directory(path, config, resolve_base)
    base_config = read_config(base)
    check_is_not_quantized(base, base_config)
    target = directory_in_cache([path, base])
    if not target.is_dir():
        notify(
            f"the model {path} is an adapter of {config['base_model_name_or_path']}: the two are merged once, into "
            f"{target}"
        )
        with turn():  # a network draws random numbers as it is built
            make_directory(target, lambda partial: _fill(partial, path, weights, base, base_config, config))
    return target


def _adapter_weights(path: Path) -> Path:
    for name in ("adapter_model.safetensors", "adapter_model.bin"):
        if (path / name).is_file():
            check_is_no_pointer(path / name)
            return path / name
    raise ModelError(
        f"model {path} is an adapter without weights: an adapter_model.safetensors file is wanted"
    )


def _base_directory(path: Path, config: dict[str, Any], resolve_base: Callable[[str], Path]) -> Path:
    """The directory of an adapter's base model, which it names by a path or by a name on the hub."""
    name = config.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise ModelError(f"{path / ADAPTER} has no base_model_name_or_path, which says what model it adapts")
    revision = config.get("revision")
    local = next(
        (one for one in (Path(name).expanduser(), path / name) if (one / "config.json").is_file()), None
    )
    if local is not None and local.resolve() == path.resolve():
        raise ModelError(f"{path / ADAPTER} names its own directory as its base model")
    if local is None and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is None:
        raise ModelError(
            f"the base model of {path}, {name}, is not on this machine: write its path here, or its name on the hub, "
            f"as base_model_name_or_path into {ADAPTER}"
        )
    uri = str(local) if local is not None else f"hf://{name}" + (f"@{revision}" if revision else "")
    try:
        return resolve_base(uri)
    except ModelError as error:
        raise ModelError(
            f"the base model of the adapter {path} cannot be had: {first_line(error)}"
        ) from error


def _fill(
    directory: Path,
    path: Path,
    weights: Path,
    base: Path,
    base_config: dict[str, Any],
    config: dict[str, Any],
) -> None:
    from safetensors.torch import load_file

    file = weights
    if weights.suffix == ".bin":
        file = directory / "adapter.tmp"
        convert(weights, file)
    try:
        shapes = {name: tuple(value.shape) for name, value in load_file(file).items()}
    except Exception as error:  # safetensors raises its own class
        raise ModelError(f"{weights} is no complete safetensors file ({first_line(error)})") from error
    if file != weights:
        file.unlink()
    auto = _auto_class(base, base_config, config)
    changes: dict[str, Any] = {}
    rows = [shape[0] for name, shape in shapes.items() if _HEAD.search(name) and "lora_" not in name]
    if rows:
        changes["num_labels"] = rows[-1]
    words = [shape[0] for name, shape in shapes.items() if _EMBEDDINGS.search(name)]
    try:
        with quiet():
            _merged(auto, base, path, changes, words[-1] if words else None).save_pretrained(directory)
    except OSError:
        raise
    except Exception as error:  # an adapter that does not fit can raise anything
        raise ModelError(f"the adapter {path} cannot be merged into {base}: {first_line(error)}") from error
    for source in (base, path):  # the adapter's own tokenizer stands first
        link_settings(source, directory)


def _merged(auto: Any, base: Path, path: Path, changes: dict[str, Any], words: int | None) -> Any:
    """The base model with the adapter merged in."""
    import torch
    from peft import PeftModel

    model = auto.from_pretrained(
        base,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
        attn_implementation=None,
        **changes,
    )
    if words is not None and words != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(words)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, str(path))
    missing = [str(one.message) for one in said if "missing adapter keys" in str(one.message)]
    if missing:
        raise ValueError(
            f"the base model has layers that the adapter lacks ({first_line(Exception(missing[0]))})"
        )
    return adapted.merge_and_unload()


def _auto_class(base: Path, base_config: dict[str, Any], config: dict[str, Any]) -> Any:
    """The class of transformers that the base model is loaded by."""
    import transformers

    mapping = config.get("auto_mapping") or {}
    if str(mapping.get("parent_library", "")).split(".")[0] == "transformers":
        named = getattr(transformers, str(mapping.get("base_model_class")), None)
        if isinstance(named, type) and issubclass(named, transformers.PreTrainedModel):
            return named
    name = _AUTO_CLASSES.get(str(config.get("task_type")))
    if name is None:
        image = modality_of(base, base_config) == "image"
        name = "AutoModelForImageClassification" if image else "AutoModel"
    return getattr(transformers, name)
