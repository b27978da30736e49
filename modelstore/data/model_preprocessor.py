"""A model directory's preprocessor: the files of its tokenizer or image processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelstore.data.lfs_pointer import check_is_no_pointer
from modelstore.data.model_config import read_json
from modelstore.errors import ModelError

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
_TOKENIZERS_WITHOUT_VOCABULARY = ("CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer")
_IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_FILES = (*VOCABULARIES, "merges.txt", "*token*.json")


def check_preprocessor(path: Path, modality: str, config: dict[str, Any]) -> None:
    """Checks that the model directory ``path`` has the preprocessor that a model of its modality needs.

    Raises
    ------
    ModelError
        If it has none, or a Git LFS pointer in the place of one of its files.
    """
    if modality == "image":
        files = [path / name for name in _IMAGE_PROCESSORS if (path / name).is_file()]
        for file in files:
            check_is_no_pointer(file)
        if not files and "pretrained_cfg" not in config:  # timm's config says how images are processed
            raise ModelError(
                f"model {path} has no image processor: a preprocessor_config.json is wanted, as "
                "AutoImageProcessor.save_pretrained writes it"
            )
        return
    if not _has_tokenizer(path):
        raise ModelError(
            f"model {path} has no tokenizer: a tokenizer.json (or vocab.txt, vocab.json, *.model) is "
            "wanted, as AutoTokenizer.save_pretrained writes it"
        )
    for pattern in _FILES:
        for file in path.glob(pattern):
            check_is_no_pointer(file)


def _has_tokenizer(path: Path) -> bool:
    if any(any(path.glob(name)) for name in VOCABULARIES):
        return True
    file = path / "tokenizer_config.json"
    return file.is_file() and read_json(file).get("tokenizer_class") in _TOKENIZERS_WITHOUT_VOCABULARY
