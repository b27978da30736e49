"""Small images that come with scikit-learn: its handwritten digits, and crops of its two photographs."""

import io
from functools import cache

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from modelstore.demo.architectures import SIDE

PHOTOS = ("china", "flower")
TURNS = ("0", "90", "180", "270")


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 handwritten digits, grey, (n, side, side), and which digit each is, (n,)."""
    data = load_digits()
    grey = np.clip(data.images * 16, 0, 255).astype(np.uint8)
    return np.stack([_resized(image) for image in grey]), data.target


def coloured(grey: np.ndarray, seed: int) -> np.ndarray:
    """Paints each image in a light colour on a dark one, both drawn at random: (n, side, side, 3)."""
    random = np.random.default_rng(seed)
    light = random.uniform(140, 255, (len(grey), 1, 1, 3))
    dark = random.uniform(0, 90, (len(grey), 1, 1, 3))
    ink = grey[..., None] / 255.0
    return (dark + (light - dark) * ink).astype(np.uint8)


@cache
def photo_crops(count: int, seed: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Square crops of many sizes: the images, and the photograph and its quarter that each is from."""
    random = np.random.default_rng(seed)
    photos = load_sample_images().images
    images, names, cells = [], [], []
    for _ in range(count):
        which = int(random.integers(len(PHOTOS)))
        height, width = photos[which].shape[:2]
        side = int(random.integers(SIDE, 3 * SIDE))
        top, left = int(random.integers(height - side)), int(random.integers(width - side))
        images.append(_resized(photos[which][top : top + side, left : left + side]))
        names.append(PHOTOS[which])
        row, column = (2 * top + side) // height, (2 * left + side) // width
        cells.append(f"{('top', 'bottom')[row]} {('left', 'right')[column]}")
    return np.stack(images), names, cells


def rotated(images: np.ndarray, seed: int) -> tuple[np.ndarray, list[str]]:
    """Turns each image by 0 to 3 quarter turns; the degrees are the labels of a task that needs no annotation."""
    turns = np.random.default_rng(seed).integers(0, 4, len(images))
    turned = np.stack([np.rot90(image, turn) for image, turn in zip(images, turns, strict=True)])
    return turned, [TURNS[turn] for turn in turns]


def png(image: np.ndarray) -> bytes:
    """Encodes an image, (height, width, 3), as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def from_png(data: bytes) -> np.ndarray:
    """Decodes a PNG to an image, (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
