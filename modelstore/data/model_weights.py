"""A model directory's weights: which files hold them, and how many parameters there are, by the headers alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelstore.data.lfs_pointer import check_is_no_pointer
from modelstore.data.model_config import read_json
from modelstore.data.model_limits import MOST_HEADER
from modelstore.errors import ModelError, reason_of

# Where pickled weights share a tensor between names, the converted file has it under each, and lists here those
# that are not counted as parameters of their own.
TIED = "modelstore.tied"

# A variant stands before the suffix, as in model.fp16.safetensors and model.safetensors.index.fp16.json.
_SINGLE = re.compile(r"model(?:\.(\w+))?\.safetensors|pytorch_model(?:\.(\w+))?\.bin")
_INDEX = re.compile(r"(?:model\.safetensors|pytorch_model\.bin)\.index(?:\.(\w+))?\.json")
_SHARD = re.compile(r"(?:\w+)(?:\.(?P<variant>\w+))?-\d{5}-of-\d{5}\.(?:safetensors|bin)")
_OTHERS = {  # weights that transformers cannot read, by suffix
    ".h5": "TensorFlow",
    ".msgpack": "Flax",
    ".onnx": "ONNX",
    ".gguf": "GGUF",
    ".ot": "Rust",
    ".tflite": "TensorFlow Lite",
    ".mlmodel": "Core ML",
}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_BYTES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "BOOL": 1,
}
_NO_WEIGHTS = re.compile(
    r"(training_args|optimizer|scheduler|scaler|rng_state.*|adapter_model.*)\.(bin|pth?|safetensors)"
)


@dataclass(frozen=True)
class Weights:
    """The files that hold a model's weights.

    Parameters
    ----------
    files
        One file, or the shards.
    index
        The file that says which shard each weight is in; None for one file.
    variant
        The variant that they are of, such as ``fp16``; None for the model's default weights.
    """

    files: tuple[Path, ...]
    index: Path | None
    variant: str | None

    @property
    def pickled(self) -> bool:
        """Whether they are in PyTorch's pickles rather than in safetensors files."""
        return self.files[0].suffix == ".bin"


def find_weights(path: Path) -> Weights:
    """Finds the weights of the model directory ``path``, as `choose_weights` chooses them.

    Raises
    ------
    ModelError
        If `choose_weights` raises it, a shard is missing, or a file is a Git LFS pointer.
    """
    chosen = choose_weights(str(path), [entry.name for entry in path.iterdir() if not entry.is_dir()])
    index = path / chosen if is_index(chosen) else None
    files = (path / chosen,) if index is None else _shards(path, index)
    for file in files:
        if file.is_symlink() and not file.exists():
            raise ModelError(f"{file} is a link to {file.readlink()}, which is not there")
        if not file.is_file():
            raise ModelError(f"{file} is no regular file")
        check_is_no_pointer(file)
    return Weights(files, index, _variant(chosen))


def choose_weights(model: str, names: Sequence[str]) -> str:
    """Chooses the file of weights to read, or the index of the shards, among the names of a directory's files.

    The default weights stand before those of a variant, and safetensors before pickles.

    Parameters
    ----------
    model
        The model's directory or address, for messages.
    names
        The names of all its files.

    Raises
    ------
    ModelError
        If there are none, or only those of several variants.
    """
    found = sorted(name for name in names if _SINGLE.fullmatch(name) or is_index(name))
    if not found:
        raise ModelError(_absence(model, names))
    best = min(found, key=_rank)
    rivals = [
        name for name in found if _rank(name)[:2] == _rank(best)[:2] and _variant(name) != _variant(best)
    ]
    if rivals:
        raise ModelError(
            f"model {model} has weights of several variants only ({', '.join([best, *rivals])}): rename those to use "
            "as if they were of none"
        )
    return best


def is_index(name: str) -> bool:
    """Whether a file of this name says which of several files each weight is in."""
    return _INDEX.fullmatch(name) is not None


def shards_of(index: str, names: Sequence[str]) -> list[str]:
    """The names among ``names`` that are those of the shards which an index of this name lists."""
    suffix = ".bin" if ".bin." in index else ".safetensors"
    shards = ((name, _SHARD.fullmatch(name)) for name in names if name.endswith(suffix))
    return [name for name, match in shards if match and match["variant"] == _variant(index)]


def measure_weights(path: Path) -> tuple[int, int]:
    """Counts what the safetensors files of the model directory ``path`` hold that transformers would load.

    Returns
    -------
    parameters, tensors
        The trainable values, and all tensors.

    Raises
    ------
    ModelError
        If there are none, or one is missing or not complete, or they are quantised.
    """
    found = [_parameters_in(file) for file in find_weights(path).files]
    return sum(parameters for parameters, _ in found), sum(tensors for _, tensors in found)


def _variant(name: str) -> str | None:
    match = _SINGLE.fullmatch(name) or _INDEX.fullmatch(name)
    assert match is not None
    return next((variant for variant in match.groups() if variant), None)


def _rank(name: str) -> tuple[bool, bool, bool]:
    """Which weights stand first: default ones, then safetensors, then a single file."""
    return _variant(name) is not None, ".bin" in name, is_index(name)


def _absence(model: str, names: Sequence[str]) -> str:
    """The sentence that says that there are no weights, and what is there instead."""
    wanted = "a model.safetensors or pytorch_model.bin file is wanted (or its shards and their index)"
    shards = sorted(name for name in names if _SHARD.fullmatch(name))
    if shards:
        return f"model {model} has {shards[0]} and no index that lists its shards: {wanted}"
    for name in sorted(names):
        if (framework := _OTHERS.get(Path(name).suffix.lower())) is not None:
            return (
                f"model {model} has weights of {framework} only ({name}), which are not read: give a revision or a "
                "copy of it with model.safetensors"
            )
    like = sorted(
        name
        for name in names
        if Path(name).suffix.lower() in (".safetensors", *_PICKLES) and not _NO_WEIGHTS.fullmatch(name)
    )
    if like:
        rename = "model.safetensors" if like[0].lower().endswith("safetensors") else "pytorch_model.bin"
        return (
            f"model {model} has no weights under a name that is read, only {like[0]}: if it has them, rename it to "
            f"{rename}"
        )
    return f"model {model} has no weights: {wanted}"


def _shards(path: Path, index: Path) -> tuple[Path, ...]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{index} has no weight_map, which says what file each weight is in")
    if not all(isinstance(shard, str) for shard in weight_map.values()):
        raise ModelError(
            f"{index} has a weight_map that names no files: each entry is the name of a file beside it"
        )
    shards = sorted(set(weight_map.values()))
    outside = [shard for shard in shards if Path(shard).name != shard]
    if outside:
        raise ModelError(f"{index} names {outside[0]}, which is not a file beside it")
    files = tuple(path / shard for shard in shards)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(f"model {path} lacks {missing[0]}, one of the {len(files)} files of its weights")
    return files


def _parameters_in(file: Path) -> tuple[int, int]:
    """The trainable values and the tensors of one safetensors file, whose header is checked against its size."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            header_size = int.from_bytes(stream.read(8), "little")
            if header_size > size:
                raise ValueError("its header is longer than the file")
            if header_size > MOST_HEADER:
                raise ValueError(
                    f"its header has {header_size:,} bytes, more than the {MOST_HEADER:,} allowed"
                )
            header = json.loads(stream.read(header_size))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        end = 8 + header_size + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if end != size:
            raise ValueError(f"its header speaks of {end} bytes and there are {size}")
        for name, tensor in tensors.items():
            _check_tensor(name, tensor)
        whole = [name for name, tensor in tensors.items() if is_quantized(name, tensor["dtype"])]
        tied = json.loads((header.get("__metadata__") or {}).get(TIED, "[]"))
        parameters = sum(
            math.prod(tensor["shape"])
            for name, tensor in tensors.items()
            if is_parameter(name, tensor["dtype"]) and name not in tied
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else reason_of(error)
        raise ModelError(
            f"{file} is no complete safetensors file ({why}): download or save it again"
        ) from error
    if whole:
        raise ModelError(
            f"{file} has quantised weights ({whole[0]} is of type {tensors[whole[0]]['dtype']}), which cannot be "
            "fine-tuned: give the model that it was made from"
        )
    return parameters, len(tensors)


def _check_tensor(name: str, tensor: Any) -> None:
    """Raises ``ValueError`` for a tensor whose shape does not fit its bytes."""
    begin, end = tensor["data_offsets"]
    shape, each = tensor["shape"], _BYTES.get(tensor["dtype"])
    numbers = [begin, end, *shape]
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers):
        raise ValueError(f"the place of {name} in it is not told by whole numbers")
    if each is not None and math.prod(shape) * each != end - begin:
        raise ValueError(f"{name} is of shape {shape} and has {end - begin} bytes")


def is_parameter(name: str, dtype: str) -> bool:
    """Whether it is trained: integers are buffers (position ids, counters), as a batch norm's statistics are."""
    return "F" in dtype and not name.endswith(("running_mean", "running_var"))


def is_quantized(name: str, dtype: str) -> bool:
    """Whether a tensor is a layer's weights in other numbers than floats of 16 bits or more."""
    return name.endswith(("weight", "weight_packed")) and (dtype.startswith("F8") or dtype[0] in "IU")
