"""A model directory's weights: their safetensors files, checked and counted by their headers alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

from modelstore.data.model_config import read_json
from modelstore.errors import ModelError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def count_parameters(path: Path) -> int:
    """Counts the parameters in the safetensors files of the model directory ``path`` that transformers would load.

    Raises
    ------
    ModelError
        If there are none, or one is missing or not complete.
    """
    return sum(_parameters_in(file) for file in _weight_files(path))


def _weight_files(path: Path) -> list[Path]:
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if index.is_file():
        return _shards(path, index)
    if pickled := sorted(file.name for file in path.iterdir() if file.suffix in _PICKLES):
        raise ModelError(
            f"model {path} has its weights pickled only ({pickled[0]}), and unpickling can run any code: "
            "convert them to safetensors (load once where you trust them, then save_pretrained)"
        )
    raise ModelError(
        f"model {path} has no weights: a model.safetensors file is wanted (or its shards and their index); "
        "pickled weights such as pytorch_model.bin are not read"
    )


def _shards(path: Path, index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ModelError(f"{index} has no weight_map, which says what file each weight is in")
    files = [path / shard for shard in sorted(set(weight_map.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(f"model {path} lacks {missing[0]}, one of the {len(files)} files of its weights")
    return files


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
