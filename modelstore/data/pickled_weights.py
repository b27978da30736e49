"""Converts PyTorch's pickled weights to safetensors, reading nothing from them but tensors."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

from modelstore.data.model_weights import TIED
from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet

_CODE = re.compile(r"GLOBAL ([\w.]+)")


def convert(file: Path, converted: Path) -> None:
    """Writes the tensors of a pickled file of weights to a safetensors file.

    `torch.load` unpickles with ``weights_only``, which runs no code that the file names. Where names share a tensor,
    as tied embeddings do, the new file has it under each, and lists those that are no parameters of their own.

    Parameters
    ----------
    file
        What ``torch.save`` wrote of a state dict: tensors by name.
    converted
        The new file.

    Raises
    ------
    ModelError
        If the file holds or needs anything but tensors, or is not complete.
    OSError
        If the new file cannot be written.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    places: set[tuple[Any, ...]] = set()
    tied: list[str] = []
    for name, value in _read(file).items():
        place = (value.data_ptr(), value.shape, value.stride(), value.dtype)
        if value.numel() and place in places:
            tied.append(name)
        places.add(place)
        whole = value.is_contiguous() and value.untyped_storage().nbytes() == value.nbytes
        tensors[name] = value if whole and name not in tied else value.contiguous().clone()
    try:
        save_file(tensors, converted, {"format": "pt", TIED: json.dumps(tied)})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else None, first_line(error)) from error


def _read(file: Path) -> dict[str, Any]:
    """The tensors of a pickled file, by name."""
    import torch

    try:
        with quiet():
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a broken file can raise anything
        raise ModelError(_fault(file, error)) from error
    if not isinstance(content, dict) or not content:
        raise ModelError(
            f"{file} holds no tensors by name: give what torch.save writes of a model's state_dict()"
        )
    others = [name for name, value in content.items() if not _is_plain_tensor(value)]
    if others:
        raise ModelError(
            f'{file} holds "{others[0]}", which is not a dense tensor, among its weights: give what torch.save '
            "writes of a model's state_dict()"
        )
    names = [str(name) for name in content]
    # torch's DataParallel puts every name under "module."
    prefix = "module." if all(name.startswith("module.") for name in names) else ""
    return {name.removeprefix(prefix): content[key] for name, key in zip(names, content, strict=True)}


def _is_plain_tensor(value: object) -> bool:
    import torch

    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_quantized:
        return False
    return value.nbytes <= value.untyped_storage().nbytes()  # a few numbers may claim to be many


def _fault(file: Path, error: Exception) -> str:
    """The sentence for a file that `torch.load` does not unpickle by tensors alone."""
    code = _CODE.search(str(error))
    with file.open("rb") as stream:
        is_pickle = stream.read(1) in (b"P", b"\x80")  # the beginnings of a zip file and of a pickle
    if "TorchScript" in str(error):
        needed = "the program of a TorchScript archive"
    elif isinstance(error, pickle.UnpicklingError) and (code or is_pickle):
        needed = code[1] if code else "what torch.save does not write"
    else:
        return f"{file} is no complete file of pickled weights: download or save it again"
    return (
        f"{file} needs more than tensors to be unpickled ({needed}), which could run any code, and is refused: load "
        "it once where you trust it, and save the model by save_pretrained"
    )
