"""Decodes, resizes and normalises images for a model, once for each split."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from modelstore.data import cache
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, TrainingError
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.training.inputs.decoding import DECODING, ImageError, decode_image
from modelstore.training.inputs.image_bounds import (
    AT_ONCE,
    LARGEST_RESIZED,
    check_processor,
    resized_pixels,
)
from modelstore.training.inputs.interface import VERSIONS
from modelstore.training.memory import available_memory

IMAGE_CHUNK = 32  # images that the image processor gets at once


class ImagePreprocessor:
    """Makes a model's inputs from images, by its image processor.

    Parameters
    ----------
    model
        The model's name, for messages.
    processor
        The image processor of transformers.
    """

    max_length = 0  # images are not truncated

    def __init__(self, model: str, processor: Any):
        self.model = model
        self.processor = processor

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> ImageInputs:
        """Returns the pixels of a split, or of some of its rows, from the cache if they are there.

        Parameters
        ----------
        data, split
            The dataset, and the split whose column ``image`` is read.
        rows
            The row numbers, (n,); all rows if None.

        Raises
        ------
        DatasetError
            An image cannot be decoded.
        ModelError
            The processor fails, or returns images of different sizes.
        """
        rows = np.arange(data.split(split).num_rows) if rows is None else rows
        images = data.split(split).select(["image"]).take(rows)
        return self._inputs(
            images,
            lambda place: f"the image in row {rows[place] + 1} of the {split} split of dataset {data.name}",
        )

    def encode(self, table: pa.Table, cached: bool = True) -> ImageInputs:
        """Returns the pixels of a table's column ``image``, ``cached`` on disk or not; raises as `split` does."""
        images = table.select(["image"])

        def name(place: int) -> str:
            return f"image {place + 1:,} of the {len(images):,} that model {self.model} was given at once"

        return self._inputs(images, name) if cached else ImageInputs(self._pixels(images["image"], name))

    def _inputs(self, images: pa.Table, name_of: Callable[[int], str]) -> ImageInputs:
        """The pixels of images, through the cache; ``name_of`` says for an error what one is, by its place."""
        identity = [
            "image",
            DECODING,
            VERSIONS,
            type(self.processor).__name__,
            self.processor.to_json_string(),
        ]
        name = cache.key(identity, images)
        return ImageInputs(cache.load_or_compute(name, lambda: self._pixels(images["image"], name_of)))

    def _pixels(self, images: pa.ChunkedArray, name_of: Callable[[int], str]) -> pa.Table:
        """Returns a table with one column, ``pixels``: the float32 values of one image in each row.

        The shape of an image is in the schema's metadata.
        """
        check_processor(self.model, self.processor)
        decoded = (_decoded(images[k].as_py(), k, name_of) for k in range(len(images)))
        pixels: torch.Tensor | None = None
        with quiet():
            for start, chunk in self._chunks(decoded):
                values = self._process(chunk)
                if pixels is None:
                    pixels = self._room_for(len(images), values)
                if values.shape[1:] != pixels.shape[1:]:
                    raise self._unusable("images of different sizes: set do_resize and size in its config")
                pixels[start : start + len(chunk)] = values
        assert pixels is not None  # a split has at least one row
        shape = list(pixels.shape[1:])
        column = pa.FixedSizeListArray.from_arrays(pa.array(pixels.numpy().reshape(-1)), math.prod(shape))
        return pa.table({"pixels": column}, metadata={"shape": json.dumps(shape)})

    def _chunks(self, images: Iterable[Image.Image]) -> Iterator[tuple[int, list[Image.Image]]]:
        """The images that the processor gets at once, and the number of the first: few where they are large."""
        start, taken, waiting = 0, 0.0, list[Image.Image]()
        for image in images:
            check()
            size = max(float(image.width * image.height), resized_pixels(self.processor, *image.size))
            if size > LARGEST_RESIZED:
                raise self._unusable(
                    f"an image of {size:,.0f} pixels for one of {image.width:,} × {image.height:,}: it is too long "
                    "and narrow"
                )
            if waiting and (len(waiting) == IMAGE_CHUNK or taken + size > AT_ONCE):
                yield start, waiting
                start, taken, waiting = start + len(waiting), 0.0, []
            waiting.append(image)
            taken += size
        yield start, waiting

    def _room_for(self, rows: int, values: torch.Tensor) -> torch.Tensor:
        """Room for the pixels of all rows, of which these are some. Raises TrainingError where memory lacks it."""
        needed = rows * math.prod(values.shape[1:]) * 4
        if needed > (free := available_memory()):
            raise TrainingError(
                f"the {rows:,} images take {needed / 1e9:,.1f} GB as the inputs of model {self.model}, and "
                f"{free / 1e9:,.1f} GB of memory are free: give a model of smaller images, or fewer rows"
            )
        return torch.empty(rows, *values.shape[1:])

    def save(self, directory: Path) -> None:
        """Writes the processor's ``preprocessor_config.json``."""
        self.processor.save_pretrained(directory)

    def _process(self, images: list[Image.Image]) -> torch.Tensor:
        """Runs the image processor on images in RGB; returns their pixels, (n, channels, height, width)."""
        try:
            return self.processor(images=images, return_tensors="pt")["pixel_values"]
        except KeyError as error:
            raise self._unusable("no pixel_values") from error
        except (ValueError, TypeError, RuntimeError) as error:
            raise self._unusable(f"no batch of images ({first_line(error)})") from error

    def _unusable(self, returned: str) -> ModelError:
        """Returns the error that says what the image processor returned instead of a batch of pixels."""
        return ModelError(f"the image processor of model {self.model} returns {returned}")


class ImageInputs:
    """The pixels of n images in float32, (n, channels, height, width), in memory or mapped from the cache.

    Parameters
    ----------
    table
        One column, ``pixels``, and the shape of an image in its schema's metadata.
    """

    lengths: NDArray | None = None

    def __init__(self, table: pa.Table):
        [column] = table["pixels"].chunks
        self._pixels = column.flatten().to_numpy().reshape(-1, *json.loads(table.schema.metadata[b"shape"]))

    @property
    def nbytes(self) -> int:
        """The size of all pixels, in bytes."""
        return int(self._pixels.nbytes)

    def __len__(self) -> int:
        return len(self._pixels)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """Returns ``pixel_values``, (rows, channels, height, width)."""
        return {"pixel_values": torch.from_numpy(self._pixels[rows])}


def _decoded(content: bytes, place: int, name_of: Callable[[int], str]) -> Image.Image:
    """Decodes an image to RGB; raises DatasetError, with what ``name_of`` calls it, if it cannot be decoded."""
    try:
        return decode_image(content)
    except ImageError as error:
        raise DatasetError(f"{name_of(place)} {error}") from None
