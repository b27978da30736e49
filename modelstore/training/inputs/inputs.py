"""A split of a dataset turned into a model's inputs, and cut into batches."""

from __future__ import annotations

import inspect
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, AutoTokenizer

from modelstore.data import cache
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet

MEGABATCH = 16  # batches whose rows are sorted by length together
CHUNK = 1000  # texts handed to the tokenizer at once
IMAGE_CHUNK = 32  # images handed to the image processor at once
# What they make of the same data may change from version to version.
VERSIONS = [transformers.__version__, tokenizers.__version__, PIL.__version__]


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
        self._identity: list[Any] | None = None
        if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
            # All that decides what a text's tokens are, whichever model's the tokenizer is.
            settings = (tokenizer.truncation_side, tokenizer.model_input_names, tokenizer.pad_token_id)
            kind = type(tokenizer).__name__
            self._identity = ["text", VERSIONS, kind, settings, self.max_length, backend.to_str()]

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> TextInputs:
        """The tokens of a split's `text`, and `text_pair` where the task has one."""
        return self.encode(data.split(split) if rows is None else data.split(split).take(rows))

    def encode(self, table: pa.Table) -> TextInputs:
        """The tokens of a table's `text`, and `text_pair` where it has one; kept in the cache."""
        texts = table.select([name for name in ("text", "text_pair") if name in table.column_names])
        if self._identity is None:
            tokens = self._tokenise(texts)
        else:
            tokens = cache.load_or_compute(cache.key(self._identity, texts), lambda: self._tokenise(texts))
        largest = max(self.tokenizer.pad_token_id, pc.max(pc.list_flatten(tokens["input_ids"])).as_py())
        if largest >= (getattr(self.config, "vocab_size", None) or largest + 1):
            raise ModelError(
                f"the tokenizer of model {self.model} gives token {largest}, and its config.json has a "
                f"vocab_size of {self.config.vocab_size}: the two do not belong together"
            )
        return TextInputs(tokens, self.names, self.tokenizer)

    def _tokenise(self, table: pa.Table) -> pa.Table:
        """input_ids, and token_type_ids where the tokenizer gives them: lists of int32."""
        # An empty text may have no token at all, and a model needs one.
        instead = {"input_ids": [self.tokenizer.pad_token_id], "token_type_ids": [0]}
        batches = []
        with quiet():
            for batch in table.to_batches(max_chunksize=CHUNK):
                check()
                texts = [column.to_pylist() for column in batch.columns]
                encoded = self.tokenizer(*texts, truncation=True, max_length=self.max_length)
                columns = {
                    name: pa.array([row or instead[name] for row in encoded[name]], pa.list_(pa.int32()))
                    for name in instead
                    if name in encoded
                }
                batches.append(pa.RecordBatch.from_pydict(columns))
        return pa.Table.from_batches(batches).combine_chunks()

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's files."""
        self.tokenizer.save_pretrained(directory)


class TextInputs:
    """Tokenised rows, padded only as they are put into a batch."""

    def __init__(self, tokens: pa.Table, names: set[str], tokenizer: Any):
        padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        self.fields = {
            name: (pc.list_flatten(tokens[name]).to_numpy(), padding[name])
            for name in tokens.column_names
            if name in names | {"input_ids"}
        }
        self.lengths: NDArray = pc.list_value_length(tokens["input_ids"]).to_numpy()
        self._starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        self.with_mask = "attention_mask" in names
        self.left = tokenizer.padding_side == "left"

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """input_ids and what else the model takes, each (rows, longest row) of int64."""
        mask = self.mask(rows)
        places = self.places(mask, rows)
        padded = {
            name: np.where(mask, values[np.where(mask, places, 0)], padding).astype(np.int64)
            for name, (values, padding) in self.fields.items()
        }
        if self.with_mask:
            padded["attention_mask"] = mask
        return {name: torch.from_numpy(values) for name, values in padded.items()}

    def places(self, mask: NDArray, rows: NDArray) -> NDArray:
        """Of the tokens that the rows' ``mask`` has, their places among those of all rows, where they are."""
        return np.cumsum(mask, axis=1) - 1 + self._starts[rows, None]

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
        rows = np.arange(data.split(split).num_rows) if rows is None else rows
        images = data.split(split).select(["image"]).take(rows)
        identity = ["image", VERSIONS, type(self.processor).__name__, self.processor.to_json_string()]
        name = cache.key(identity, images)
        return ImageInputs(
            cache.load_or_compute(name, lambda: self._pixels(images["image"], rows, data.name, split))
        )

    def _pixels(self, images: pa.ChunkedArray, rows: NDArray, dataset: str, split: str) -> pa.Table:
        """One column, `pixels`, each row the float32 of one image; their shape is in the schema's metadata."""
        pixels: torch.Tensor | None = None
        with quiet():
            for i in range(0, len(rows), IMAGE_CHUNK):
                check()
                chunk = range(i, min(i + IMAGE_CHUNK, len(rows)))
                values = self._process([_decode(images[k].as_py(), dataset, split, rows[k]) for k in chunk])
                if pixels is None:
                    pixels = torch.empty(len(rows), *values.shape[1:])
                if values.shape[1:] != pixels.shape[1:]:
                    raise self._unusable("images of different sizes: set do_resize and size in its config")
                pixels[i : i + len(chunk)] = values
        assert pixels is not None  # no split is empty
        shape = list(pixels.shape[1:])
        column = pa.FixedSizeListArray.from_arrays(pa.array(pixels.numpy().reshape(-1)), math.prod(shape))
        return pa.table({"pixels": column}, metadata={"shape": json.dumps(shape)})

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
    """Pixels (n, channels, height, width) in float32: in memory, or mapped from the cache."""

    lengths: NDArray | None = None

    def __init__(self, table: pa.Table):
        [column] = table["pixels"].chunks
        self._pixels = column.flatten().to_numpy().reshape(-1, *json.loads(table.schema.metadata[b"shape"]))

    def __len__(self) -> int:
        return len(self._pixels)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """pixel_values (rows, channels, height, width)."""
        return {"pixel_values": torch.from_numpy(self._pixels[rows])}


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
