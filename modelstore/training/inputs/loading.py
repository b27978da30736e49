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
from modelstore.training.inputs.tokens import WordPreprocessor


def load_preprocessor(
    model: str, path: Path, modality: str, network: nn.Module, max_length: int | None, words: bool = False
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
        The tokens at which a text is truncated; fewer if the network or its tokenizer cannot take as many. None: as
        many as the tokenizer itself says.
    words
        Whether texts are lists of words.

    Raises
    ------
    ModelError
        The tokenizer or image processor cannot be loaded, or the tokenizer has no token to pad with.
    """
    if words:
        return WordPreprocessor(model, load_word_tokenizer(model, path), network, max_length)
    loaded = load_processor(model, path, modality)
    if modality == "image":
        return ImagePreprocessor(model, loaded)
    return TextPreprocessor(model, loaded, network, max_length)


def load_word_tokenizer(model: str, path: Path) -> Any:
    """Loads a tokenizer for lists of words, as `load_processor` does.

    One that tells a word from a part of a word by the blank before it (GPT-2, RoBERTa) gets to add that blank, also
    where it is saved and loaded again.
    """
    tokenizer = load_processor(model, path, "text")
    if _lacks_blanks(tokenizer):
        tokenizer = load_processor(model, path, "text", add_prefix_space=True)
    if _lacks_blanks(tokenizer):  # classes without that option
        tokenizer.backend_tokenizer.pre_tokenizer.add_prefix_space = True
    return tokenizer


def _lacks_blanks(tokenizer: Any) -> bool:
    by_bytes = getattr(getattr(tokenizer, "backend_tokenizer", None), "pre_tokenizer", None)
    return isinstance(by_bytes, tokenizers.pre_tokenizers.ByteLevel) and not by_bytes.add_prefix_space


def load_processor(model: str, path: Path, modality: str, **options: Any) -> Any:
    """Loads the tokenizer or image processor of transformers; raises ModelError if it cannot be loaded."""
    kind = AutoTokenizer if modality == "text" else AutoImageProcessor
    if modality == "image":
        options["backend"] = "pil"  # the same pixels with and without torchvision
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
