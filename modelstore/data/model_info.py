"""What a model directory holds, described from its config and its weights' headers without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelstore.data.bounded_files import read_beginning
from modelstore.data.hub import ModelRef
from modelstore.data.model_config import (
    architecture_of,
    has_classification_head,
    label_names,
    modality_of,
    read_config,
)
from modelstore.data.model_limits import check_layers
from modelstore.data.model_preprocessor import check_preprocessor
from modelstore.data.model_requirements import check_is_not_quantized, check_requirements
from modelstore.data.model_weights import measure_weights
from modelstore.errors import ModelError
from modelstore.progress import notify

MOST_CARD = 1_000_000  # bytes


@dataclass(frozen=True)
class ModelInfo:
    """A model directory in the Hugging Face layout, as its files describe it.

    Parameters
    ----------
    modality
        ``text`` or ``image``.
    architecture
        The config's first architecture, else its ``model_type``.
    parameters
        How many there are, the embeddings' included.
    labels
        The classes that its head was trained on, by id; empty where it has no such head.
    has_head
        Whether its last layer is a trained single-label classifier of two classes or more.
    card
        The text of its README.md; None where it has none.
    """

    modality: str
    architecture: str
    parameters: int
    labels: tuple[str, ...]
    has_head: bool
    card: str | None


def inspect_model(model: ModelRef, parameters: int | None = None) -> ModelInfo:
    """Describes a model and checks that it can be fine-tuned.

    Parameters
    ----------
    model
        The model.
    parameters
        How many it has, where its weights are not here; None: its weights are counted.

    Raises
    ------
    ModelError
        If it has no readable config.json, no safetensors weights or broken ones, code of its own, no tokenizer or
        image processor, or another modality than text or image; if its weights are quantised, or its architecture
        needs a package that is not installed.
    """
    path = model.path
    config = read_config(path)
    if "auto_map" in config:
        raise ModelError(
            f"model {path} needs Python code of its own (auto_map in its config.json), which is never run: "
            "give a model of an architecture that transformers has built in"
        )
    check_is_not_quantized(path, config)
    check_requirements(path, config)
    modality = modality_of(path, config)
    if parameters is None:
        parameters, tensors = measure_weights(path)
        check_layers(path, config, tensors)
    else:
        check_layers(path, config)
    check_preprocessor(path, modality, config)
    has_head = has_classification_head(config)
    return ModelInfo(
        modality=modality,
        architecture=architecture_of(config),
        parameters=parameters,
        labels=label_names(config) if has_head else (),
        has_head=has_head,
        card=_read_card(path / "README.md"),
    )


def _read_card(file: Path) -> str | None:
    """The text of a model's card, the beginning of a long one; None where there is none that can be read."""
    try:
        content, is_longer = read_beginning(file, MOST_CARD)
    except OSError:
        return None
    if is_longer:
        notify(f"{file} is long: its first {MOST_CARD:,} bytes are kept as the model's card")
    return content.decode("utf-8", errors="ignore" if is_longer else "replace")
