"""Images as a model takes them: decoded, resized and normalised once."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from modelstore.data import cache
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.training.inputs.interface import VERSIONS

IMAGE_CHUNK = 32  # images handed to the image processor at once


class ImagePreprocessor:
    """An image processor."""

    max_length = 0  # it cuts no texts

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

    @property
    def nbytes(self) -> int:
        """The bytes that all pixels take."""
        return int(self._pixels.nbytes)

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
