"""A model directory's tokenizer or image processor, loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoImageProcessor, AutoTokenizer

from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet
from modelstore.training.inputs.image import ImagePreprocessor
from modelstore.training.inputs.interface import Preprocessor
from modelstore.training.inputs.text import TextPreprocessor


def load_preprocessor(
    model: str, path: Path, modality: str, network: nn.Module, max_length: int
) -> Preprocessor:
    """The tokenizer or image processor in the model directory `path`; ModelError if it cannot be loaded.

    Texts are cut at `max_length` tokens, or at what `network` or its tokenizer can take if that is less.
    """
    loaded = load_processor(model, path, modality)
    if modality == "image":
        return ImagePreprocessor(model, loaded)
    return TextPreprocessor(model, loaded, network, max_length)


def load_processor(model: str, path: Path, modality: str) -> Any:
    """transformers' own tokenizer or image processor of a model directory; ModelError if it cannot be loaded."""
    kind = AutoTokenizer if modality == "text" else AutoImageProcessor
    options = {} if modality == "text" else {"backend": "pil"}  # the same pixels with and without torchvision
    try:
        with quiet():
            loaded = kind.from_pretrained(path, local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # its files can be wrong in any way
        what = "tokenizer" if modality == "text" else "image processor"
        raise ModelError(
            f"the {what} of model {model} cannot be loaded from {path}: {first_line(error)}"
        ) from error
    return loaded
