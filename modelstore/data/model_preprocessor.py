"""A model directory's preprocessor: the files of its tokenizer or image processor."""

from __future__ import annotations

from pathlib import Path

from modelstore.data.model_config import read_json
from modelstore.errors import ModelError

_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_TOKENIZERS_WITHOUT_VOCABULARY = ("CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer")
_IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def check_preprocessor(path: Path, modality: str) -> None:
    """Checks that the model directory ``path`` has the preprocessor that a model of its modality needs.

    Raises
    ------
    ModelError
        If it has none.
    """
    if modality == "image":
        if not any((path / name).is_file() for name in _IMAGE_PROCESSORS):
            raise ModelError(
                f"model {path} has no image processor: a preprocessor_config.json is wanted, as "
                "AutoImageProcessor.save_pretrained writes it"
            )
    elif not _has_tokenizer(path):
        raise ModelError(
            f"model {path} has no tokenizer: a tokenizer.json (or vocab.txt, vocab.json, *.model) is "
            "wanted, as AutoTokenizer.save_pretrained writes it"
        )


def _has_tokenizer(path: Path) -> bool:
    if any(any(path.glob(name)) for name in _VOCABULARIES):
        return True
    file = path / "tokenizer_config.json"
    return file.is_file() and read_json(file).get("tokenizer_class") in _TOKENIZERS_WITHOUT_VOCABULARY
