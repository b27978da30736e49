"""A page as a browser reads it: its elements, and the data in it."""

import base64
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Element:
    """An element with its attributes, and the text in it before any other tag."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Parsed(HTMLParser):
    """The elements of a page, in order."""

    html: str
    elements: list[Element] = field(default_factory=list)
    is_open: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.elements[-1].text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    @property
    def data(self) -> dict[str, Any]:
        [script] = [one for one in self.all("script") if one.attributes.get("type") == "application/json"]
        found: dict[str, Any] = json.loads(script.text)
        return found


def read(path: Path) -> Parsed:
    return Parsed(path.read_text("utf-8"))


def scores_of(heat_map: dict[str, Any]) -> np.ndarray:
    """The scores that a heat map's cells stand for: (models, datasets), NaN for none."""
    shape = len(heat_map["models"]), len(heat_map["datasets"])
    steps = np.frombuffer(base64.b64decode(heat_map["cells"]), "<u2").reshape(shape).astype(float)
    low, high = np.array(heat_map["low"]), np.array(heat_map["high"])
    return np.where(steps == 65_535, np.nan, low + (high - low) * steps / 65_534)
