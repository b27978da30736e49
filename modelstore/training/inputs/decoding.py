"""Decodes images of every mode to RGB as people see them."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

DECODING = 2  # part of cache keys: another number for another way of decoding
LARGEST = 100_000_000  # pixels of an image that is decoded; each takes 3 bytes or more


class ImageError(Exception):
    """Why an image cannot be decoded: the end of a sentence that begins with the image."""


def decode_image(content: bytes) -> Image.Image:
    """Decodes an image: the first frame, turned as its camera says, without its transparency, in 8 bits a channel.

    Grey values of 16 bits and of 32 bits are scaled from the range of their type; those of floating-point images from
    0 to 1, or from their own range where they exceed it.

    Parameters
    ----------
    content
        An encoded image, such as a PNG or a JPEG.

    Raises
    ------
    ImageError
        If it cannot be decoded, or its header says that it is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked here
            with Image.open(io.BytesIO(content)) as image:
                _check_size(image)
                return _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise ImageError(f"has too many pixels, more than {LARGEST:,}: make it smaller") from error
    except (KeyboardInterrupt, SystemExit, ImageError):
        raise
    except BaseException as error:  # a broken file can make a decoder raise anything
        raise ImageError("cannot be decoded: give an encoded image such as a PNG or a JPEG") from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise ImageError(
            f"has {width:,} × {height:,} pixels by its header, more than the {LARGEST:,} that are decoded: "
            "make it smaller"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """An image in RGB; transparent pixels have the colour under their transparency, as transformers reads them."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_bytes(np.asarray(image), image.mode)).convert("RGB")
    if "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns where a palette with transparency becomes RGB at once
    return image.convert("RGB")


def _to_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey values in 8 bits, (height, width)."""
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = 0.0, 1.0
    if mode != "F":
        # PIL reads 16 bits into the mode I too; values beyond them are of 32 bits.
        low, high = min(0.0, values.min()), 65535.0 if values.max() <= 65535 else float(2**31 - 1)
    elif values.min() < 0 or values.max() > 1:
        low, high = values.min(), values.max()
        if low >= 0 and high <= 255:
            low, high = 0.0, 255.0
        elif low == high:
            high = low + 1  # one value alone is black
    return np.clip(np.rint((values - low) / (high - low) * 255), 0, 255).astype(np.uint8)
