"""A split of a dataset turned into a model's inputs, and cut into batches."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, AutoTokenizer

from modelstore.engine.libraries import first_line, quiet
from modelstore.engine.task_data import TaskData
from modelstore.errors import DatasetError, ModelError
from modelstore.interruption import check

MEGABATCH = 16  # batches whose rows are sorted by length together
CHUNK = 1000  # texts handed to the tokenizer at once
IMAGE_CHUNK = 32  # images handed to the image processor at once


class Inputs(Protocol):
    """The rows of one split as a model takes them."""

    @property
    def lengths(self) -> NDArray | None:
        """Tokens in each row; None where all rows are of one size."""
        ...

    def __len__(self) -> int: ...

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """The arguments of the model's forward for these rows, on the CPU."""
        ...


class Preprocessor(Protocol):
    """A model's tokenizer or image processor."""

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> Inputs:
        """The inputs of a split of `data`, or of some of its rows; DatasetError for a row it cannot read."""
        ...

    def save(self, directory: Path) -> None:
        """Writes it into a model directory."""
        ...


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


def training_batches(inputs: Inputs, batch_size: int, generator: torch.Generator) -> Iterator[NDArray]:
    """The rows of one epoch's batches, shuffled by `generator`; the last rows make a smaller batch.

    Texts of like length go together, within megabatches of shuffled rows, so that little of a batch is
    padding while every epoch still mixes its rows anew.
    """
    rows = torch.randperm(len(inputs), generator=generator).numpy()
    if inputs.lengths is not None:
        size = MEGABATCH * batch_size
        megabatches = [rows[i : i + size] for i in range(0, len(rows), size)]
        rows = np.concatenate([m[np.argsort(inputs.lengths[m], kind="stable")] for m in megabatches])
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    for i in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[i]


def evaluation_batches(inputs: Inputs, batch_size: int) -> Iterator[NDArray]:
    """The rows of batches that hold every row once, the longest texts first."""
    rows = np.arange(len(inputs))
    if inputs.lengths is not None:
        rows = np.argsort(-inputs.lengths, kind="stable")
    for i in range(0, len(rows), batch_size):
        yield rows[i : i + batch_size]


class TextPreprocessor:
    """A tokenizer, made to fit the network it feeds."""

    def __init__(self, model: str, tokenizer: Any, network: nn.Module, max_length: int):
        self.model = model
        self.tokenizer = tokenizer
        self.config = network.config
        if tokenizer.pad_token_id is None:  # GPT-2 was trained without padding
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
            if tokenizer.pad_token_id is None:
                raise ModelError(
                    f"the tokenizer of model {model} has no token to pad with: set its pad_token"
                )
        if self.config.pad_token_id is None:
            self.config.pad_token_id = tokenizer.pad_token_id
        self.max_length = min(max_length, tokenizer.model_max_length, _positions(network))
        accepted = inspect.signature(network.forward).parameters
        self.names = {name for name in tokenizer.model_input_names if name in accepted}
        if getattr(self.config, "type_vocab_size", 0) < 2:
            self.names -= {"token_type_ids"}  # GPT-2 would look them up among its words

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> TextInputs:
        """The tokens of a split's `text`, and `text_pair` where the task has one."""
        return self.encode(data.split(split) if rows is None else data.split(split).take(rows))

    def encode(self, table: pa.Table) -> TextInputs:
        """The tokens of a table's `text`, and `text_pair` where it has one."""
        ids: list[NDArray] = []
        types: list[NDArray] = []
        with quiet():
            for batch in table.to_batches(max_chunksize=CHUNK):
                check()
                texts = [batch.column("text").to_pylist()]
                if "text_pair" in batch.schema.names:
                    texts.append(batch.column("text_pair").to_pylist())
                encoded = self.tokenizer(*texts, truncation=True, max_length=self.max_length)
                # An empty text may have no token at all, and a model needs one.
                ids += [
                    np.array(row or [self.tokenizer.pad_token_id], np.int32) for row in encoded["input_ids"]
                ]
                if "token_type_ids" in self.names and "token_type_ids" in encoded:
                    types += [np.array(row or [0], np.int32) for row in encoded["token_type_ids"]]
        largest = max(self.tokenizer.pad_token_id, max(int(row.max()) for row in ids))
        if largest >= (getattr(self.config, "vocab_size", None) or largest + 1):
            raise ModelError(
                f"the tokenizer of model {self.model} gives token {largest}, and its config.json has a "
                f"vocab_size of {self.config.vocab_size}: the two do not belong together"
            )
        return TextInputs(ids, types, self.names, self.tokenizer)

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's files."""
        self.tokenizer.save_pretrained(directory)


class TextInputs:
    """Tokenised rows, padded only as they are put into a batch."""

    def __init__(self, ids: list[NDArray], types: list[NDArray], names: set[str], tokenizer: Any):
        self.lengths: NDArray = np.array([len(row) for row in ids])
        self.fields = {"input_ids": (ids, tokenizer.pad_token_id)}
        if types:
            self.fields["token_type_ids"] = (types, tokenizer.pad_token_type_id)
        self.with_mask = "attention_mask" in names
        self.left = tokenizer.padding_side == "left"

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """input_ids and what else the model takes, each (rows, longest row) of int64."""
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        spans = [slice(longest - n, longest) if self.left else slice(n) for n in lengths.tolist()]
        padded = {}
        for name, (values, padding) in self.fields.items():
            padded[name] = np.full((len(rows), longest), padding, dtype=np.int64)
            for i, row in enumerate(rows.tolist()):
                padded[name][i, spans[i]] = values[row]
        if self.with_mask:
            padded["attention_mask"] = self.mask(rows)
        return {name: torch.from_numpy(values) for name, values in padded.items()}

    def mask(self, rows: NDArray) -> NDArray:
        """1 for a token and 0 for padding, as `batch` places them: (rows, longest row) of int64."""
        lengths = self.lengths[rows]
        places = np.arange(lengths.max())
        return ((places[::-1] if self.left else places) < lengths[:, None]).astype(np.int64)


class ImagePreprocessor:
    """An image processor."""

    def __init__(self, model: str, processor: Any):
        self.model = model
        self.processor = processor

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> ImageInputs:
        """The pixels of a split's `image`s, decoded, in RGB, resized and normalised by the processor."""
        images = data.split(split).column("image")
        rows = np.arange(len(images)) if rows is None else rows
        pixels: torch.Tensor | None = None
        with quiet():
            for i in range(0, len(rows), IMAGE_CHUNK):
                check()
                chunk = rows[i : i + IMAGE_CHUNK].tolist()
                values = self._process([_decode(images[row].as_py(), data.name, split, row) for row in chunk])
                if pixels is None:
                    pixels = torch.empty(len(rows), *values.shape[1:])
                if values.shape[1:] != pixels.shape[1:]:
                    raise self._unusable("images of different sizes: set do_resize and size in its config")
                pixels[i : i + len(chunk)] = values
        assert pixels is not None  # no split is empty
        return ImageInputs(pixels)

    def save(self, directory: Path) -> None:
        """Writes the processor's preprocessor_config.json."""
        self.processor.save_pretrained(directory)

    def _process(self, images: list[Image.Image]) -> torch.Tensor:
        try:
            return self.processor(images=images, return_tensors="pt")["pixel_values"]
        except KeyError as error:
            raise self._unusable("no pixel_values") from error
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._unusable(f"no batch of images ({first_line(error)})") from error

    def _unusable(self, gives: str) -> ModelError:
        return ModelError(f"the image processor of model {self.model} gives {gives}")


class ImageInputs:
    """Pixels (n, channels, height, width) in float32, all in memory."""

    lengths: NDArray | None = None

    def __init__(self, pixels: torch.Tensor):
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """pixel_values (rows, channels, height, width)."""
        return {"pixel_values": self.pixels[torch.from_numpy(rows)]}


def _decode(content: bytes, dataset: str, split: str, row: int) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"the image in row {row + 1} of the {split} split of dataset {dataset} cannot be decoded: "
            "give an encoded image such as a PNG or a JPEG"
        ) from error


def _positions(network: nn.Module) -> int:
    """The longest text that the network has positions for."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from past the padding's.
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    stated = getattr(network.config, "max_position_embeddings", None) or -1
    return stated if stated > 0 else 10**9  # -1 (XLNet) and none (T5): any length
