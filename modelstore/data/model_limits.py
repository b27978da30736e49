"""What a model directory may ask for, checked before anything is allocated: its files are written by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelstore.errors import ModelError

MOST_LABELS = 200_000
MOST_SETTINGS = 500_000_000  # bytes of a file that is no weights: the largest tokenizers have some 40 MB
MOST_HEADER = 100_000_000  # bytes of a safetensors header, as its own library allows
LAYERS = {  # the names that transformers' configs have for a number of layers
    "num_hidden_layers",
    "n_layers",
    "n_layer",
    "num_layers",
    "num_decoder_layers",
    "encoder_layers",
    "decoder_layers",
    "depths",
    "num_blocks",
    "num_stages",
}
FEW_LAYERS = 1_000  # that may share weights, as ALBERT's do
_SETTINGS = (".json", ".txt", ".model", ".tiktoken", ".jinja")


def check_files(path: Path) -> None:
    """Checks that a model's directory holds no pipe or device, and no file of settings that is too large to be one.

    Raises
    ------
    ModelError
        If it does.
    """
    for entry in _entries(path):
        try:
            if entry.is_file():
                size = entry.stat().st_size
                if size > MOST_SETTINGS and entry.name.lower().endswith(_SETTINGS):
                    raise ModelError(
                        f"{entry} has {size:,} bytes, more than the {MOST_SETTINGS:,} that a file of settings may "
                        "have"
                    )
            elif entry.exists() and not entry.is_dir():
                raise ModelError(f"{entry} is no regular file, but a pipe or a device, which is not read")
        except OSError as error:
            raise ModelError(f"{entry} cannot be read: {error.strerror or error}") from error


def check_config(file: Path, config: Mapping[str, Any]) -> None:
    """Checks the entries of a config.json that are read here: their types, and how many labels there are.

    Raises
    ------
    ModelError
        If one is of the wrong type, or there are too many labels.
    """
    for name in ("num_labels", "num_classes"):
        count = config.get(name)
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
            raise ModelError(
                f"{file} has {shown(name, count)}, which is no number of classes: write a whole number, or leave it "
                "out"
            )
        if count is not None and count > MOST_LABELS:
            raise ModelError(
                f"{file} speaks of {count:,} labels, more than the {MOST_LABELS:,} that are read"
            )
    for name in ("id2label", "label2id", "label_names"):
        labels = config.get(name)
        if isinstance(labels, dict | list) and len(labels) > MOST_LABELS:
            raise ModelError(
                f"{file} has {len(labels):,} labels, more than the {MOST_LABELS:,} that are read"
            )
    architectures = config.get("architectures")
    if architectures is not None and not (
        isinstance(architectures, list) and all(isinstance(one, str) for one in architectures)
    ):
        raise ModelError(f"{file} has {shown('architectures', architectures)}: it is a list of names")
    for name in ("architecture", "problem_type"):
        if config.get(name) is not None and not isinstance(config[name], str):
            raise ModelError(f"{file} has {shown(name, config[name])}: it is a text")


def check_layers(path: Path, config: Mapping[str, Any], tensors: int | None = None) -> None:
    """Checks that a config asks for no more layers than its weights can have.

    Parameters
    ----------
    path
        The model's directory.
    config
        Its config.
    tensors
        How many tensors its weights have; None where they are not here.

    Raises
    ------
    ModelError
        If it does.
    """
    for name, count in _numbers(config):
        if name in LAYERS and count > max(FEW_LAYERS, tensors or 0):
            but = f"its weights have {tensors:,} tensors: the two do not belong together"
            if tensors is None:
                but = (
                    f"more than {FEW_LAYERS:,} are taken only beside its weights: register it by CREATE MODEL"
                )
            raise ModelError(f"model {path} has {name} = {count:,} in its config.json, and {but}")


def shown(name: str, value: object) -> str:
    """An entry of a file for a message, cut where it is long."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return f"{name} = {text if len(text) <= 60 else text[:59] + '…'}"


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a config by name, those of the configs in it too, and the lengths and entries of lists."""
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
        elif isinstance(value, dict):
            waiting += [(str(key), one) for key, one in value.items()]
        elif isinstance(value, list):
            yield name, len(value)
            waiting += [(name, one) for one in value if isinstance(one, int | float)]


def _entries(path: Path) -> Iterator[Path]:
    try:
        yield from path.iterdir()
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror or error}") from error
