"""Loads the tokenizer or image processor of a model directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
from torch import nn
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.utils import is_protobuf_available, is_sentencepiece_available

from modelstore.errors import INTERRUPTIONS, ModelError, reason_of
from modelstore.libraries import quiet
from modelstore.training.inputs.image import ImagePreprocessor
from modelstore.training.inputs.interface import Preprocessor
from modelstore.training.inputs.text import TextPreprocessor


def load_preprocessor(
    model: str, path: Path, modality: str, network: nn.Module, max_length: int
) -> Preprocessor:
    """Loads the preprocessor of a model.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    modality
        "text" or "image".
    network
        The network that the inputs are for. Its config gets the tokenizer's padding token if it has none.
    max_length
        The tokens at which a text is truncated; fewer if the network or its tokenizer cannot take as many.

    Raises
    ------
    ModelError
        The tokenizer or image processor cannot be loaded, or the tokenizer has no token to pad with.
    """
    loaded = load_processor(model, path, modality)
    if modality == "image":
        return ImagePreprocessor(model, loaded)
    return TextPreprocessor(model, loaded, network, max_length)


def load_processor(model: str, path: Path, modality: str) -> Any:
    """Loads the tokenizer or image processor of transformers; raises ModelError if it cannot be loaded."""
    kind = AutoTokenizer if modality == "text" else AutoImageProcessor
    options = {} if modality == "text" else {"backend": "pil"}  # the same pixels with and without torchvision
    try:
        with quiet():
            loaded = kind.from_pretrained(path, local_files_only=True, trust_remote_code=False, **options)
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # broken files can raise anything, panics of native code too
        what = "tokenizer" if modality == "text" else "image processor"
        raise ModelError(
            f"the {what} of model {model} cannot be loaded from {path}: {_fault(path, error)}"
        ) from error
    return loaded


def _fault(path: Path, error: BaseException) -> str:
    """What is wrong with the files of a tokenizer or image processor, and what would help."""
    message = reason_of(error)
    pieces = [] if (path / "tokenizer.json").exists() else sorted(file.name for file in path.glob("*.model"))
    if pieces and not (is_sentencepiece_available() and is_protobuf_available()):
        return (
            f"its vocabulary is in {pieces[0]} alone, and to read it transformers needs packages that are not "
            "installed: pip install sentencepiece protobuf, or give a model with a tokenizer.json"
        )
    if "untagged enum" in message or "Unknown tokenizer version" in message:
        return (
            f"its tokenizer.json has a part that the installed tokenizers {tokenizers.__version__} does not know "
            f"({message}), as one written by a newer version has: pip install -U tokenizers transformers"
        )
    return message
