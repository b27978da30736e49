"""How large the images may be that an image processor makes: its settings, and an image's sides, are another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelstore.errors import ModelError

LARGEST_INPUT = 4096 * 4096  # pixels of an image as a network gets it
LARGEST_RESIZED = 100_000_000  # pixels of an image on the way there
AT_ONCE = 32_000_000  # pixels, decoded or made, that are in memory beside the results
_SETTINGS = ("size", "crop_size", "pad_size")


def check_processor(model: str, processor: Any) -> None:
    """Raises ``ModelError`` for an image processor that makes images larger than `LARGEST_INPUT`."""
    for name in _SETTINGS:
        for width, height in _sides(getattr(processor, name, None)):
            _check(model, name, width, height)
    timm = getattr(processor, "data_config", None)
    sides = timm.get("input_size") if isinstance(timm, Mapping) else None
    if isinstance(sides, list | tuple) and len(sides) == 3:
        _check(model, "input_size", sides[2], sides[1])


def resized_pixels(processor: Any, width: int, height: int) -> float:
    """The pixels of an image of these sides once the processor has brought its shorter side to what it wants."""
    edge = _entry(getattr(processor, "size", None), "shortest_edge")
    if not isinstance(edge, int | float) or not getattr(processor, "do_resize", False):
        return float(width * height)
    return float(edge) * edge * max(width, height) / max(1, min(width, height))


def _check(model: str, name: str, width: Any, height: Any) -> None:
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        return  # the processor says what is wrong
    if width * height > LARGEST_INPUT:
        raise ModelError(
            f"the image processor of model {model} makes images of {width:,.0f} × {height:,.0f} pixels (its {name}), "
            f"more than the {LARGEST_INPUT:,} that are made"
        )


def _sides(size: Any) -> Iterator[tuple[Any, Any]]:
    yield _entry(size, "width"), _entry(size, "height")
    shortest = _entry(size, "shortest_edge")
    yield shortest, shortest


def _entry(size: Any, name: str) -> Any:
    return size.get(name) if isinstance(size, Mapping) else getattr(size, name, None)
