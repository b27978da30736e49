"""What a model directory holds, described from its config and its weights' headers without loading it."""

from __future__ import annotations

from dataclasses import dataclass

from modelstore.data.hub import ModelRef
from modelstore.data.model_config import (
    architecture_of,
    has_classification_head,
    label_names,
    modality_of,
    read_config,
)
from modelstore.data.model_preprocessor import check_preprocessor
from modelstore.data.model_requirements import check_is_not_quantized, check_requirements
from modelstore.data.model_weights import count_parameters
from modelstore.errors import ModelError


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


def inspect_model(model: ModelRef) -> ModelInfo:
    """Describes a model and checks that it can be fine-tuned.

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
    parameters = count_parameters(path)
    check_preprocessor(path, modality, config)
    has_head = has_classification_head(config)
    card = path / "README.md"
    return ModelInfo(
        modality=modality,
        architecture=architecture_of(config),
        parameters=parameters,
        labels=label_names(config) if has_head else (),
        has_head=has_head,
        card=card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None,
    )
