"""Images of every mode become RGB as people see them."""

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelstore.training.inputs import decoding
from modelstore.training.inputs.decoding import ImageError, decode_image

RAMP = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256).repeat(4, 0)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return np.asarray(decode_image(content))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RAMP, "PNG"),
        (RAMP, "TIFF"),
        (RAMP.astype(np.int32), "TIFF"),
        (RAMP.astype(np.int32) * 32768, "TIFF"),
        ((RAMP / 65535).astype(np.float32), "TIFF"),
        ((RAMP / 257).astype(np.float32), "TIFF"),
        ((RAMP - 30000.0).astype(np.float32), "TIFF"),
    ],
)
def test_deep_greys_keep_their_ramp(values: np.ndarray, kind: str) -> None:
    found = pixels(encoded(Image.fromarray(values), kind))
    assert found.shape == (4, 256, 3)
    assert np.abs(found[..., 0].astype(int) - np.arange(256)).max() <= 1


def test_values_that_are_no_numbers_are_black() -> None:
    values = np.array([[0, 1], [np.nan, 1]], np.float32)
    assert pixels(encoded(Image.fromarray(values), "TIFF"))[..., 0].tolist() == [[0, 255], [0, 255]]


def test_inks_palettes_and_bits_become_colours() -> None:
    red = Image.new("RGB", (8, 8), "red")
    assert pixels(encoded(red.convert("CMYK"), "JPEG"))[0, 0].tolist() == [255, 0, 0]
    assert pixels(encoded(red.convert("P")))[0, 0].tolist() == [255, 0, 0]
    assert pixels(encoded(Image.new("1", (4, 4), 1)))[0, 0].tolist() == [255, 255, 255]
    assert pixels(encoded(Image.new("LA", (4, 4), (7, 0))))[0, 0].tolist() == [7, 7, 7]


def test_a_palette_with_transparency_is_read_without_a_warning() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 255, 0] + [0] * 762)
    image.putpixel((0, 0), 1)
    for transparency in (0, bytes([0, 128])):
        found = pixels(encoded(image, transparency=transparency))
        assert found[0, :2].tolist() == [[0, 255, 0], [255, 0, 0]]


def test_the_first_frame_of_an_animation_is_read() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert pixels(content)[0, 0, 0] > 240


def test_a_picture_is_turned_as_its_camera_says() -> None:
    half = np.zeros((8, 16, 3), np.uint8)
    half[:, :8] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be seen
    found = pixels(encoded(Image.fromarray(half), "JPEG", exif=exif))
    assert found.shape == (16, 8, 3)
    assert found[:7].min() > 240
    assert found[9:].max() < 15


def test_a_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.new("L", (300, 300)))
    monkeypatch.setattr(decoding, "LARGEST", 80_000)
    with pytest.raises(ImageError, match="has 300 × 300 pixels by its header"):
        decode_image(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # PIL's own limit is met first
    with pytest.raises(ImageError, match="has too many pixels"):
        decode_image(content)


@pytest.mark.parametrize("content", [b"", b"no image", encoded(Image.new("L", (64, 64)))[:60]])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(content)
