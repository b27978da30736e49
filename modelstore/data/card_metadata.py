"""What the metadata of a model's card says of its licence and its languages: the YAML block that begins the card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MOST_YAML = 50_000  # characters that are read: PyYAML takes a second for them
_BLOCK = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_LONGEST = 500  # characters of a value that means something
_MOST_LANGUAGES = 500


@dataclass(frozen=True)
class CardMetadata:
    """What a card says; each is None, or empty, where it does not.

    Parameters
    ----------
    license
        The licence's identifier on the hub, such as ``apache-2.0``; ``other`` for one that ``license_name`` tells.
    license_name, license_link
        The name of another licence, and where its text is.
    languages
        The codes of languages, such as ``en``.
    """

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    languages: tuple[str, ...] = ()


def read_metadata(card: str | None) -> CardMetadata:
    """Reads a card's metadata; a card whose metadata cannot be read says nothing."""
    import yaml

    block = _BLOCK.match((card or "")[:MOST_YAML].removeprefix("\ufeff"))
    if block is None:
        return CardMetadata()
    try:
        found = yaml.safe_load(block[1])
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError):  # PyYAML raises them all
        return CardMetadata()
    if not isinstance(found, dict):
        return CardMetadata()
    languages = found.get("language")
    codes = languages if isinstance(languages, list) else [languages]
    return CardMetadata(
        license=_text(found.get("license")),
        license_name=_text(found.get("license_name")),
        license_link=_text(found.get("license_link")),
        languages=tuple(code for code in map(_text, codes[:_MOST_LANGUAGES]) if code is not None),
    )


def _text(value: Any) -> str | None:
    """A value that is one line of text; of a list, the only one in it."""
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    if value is False:
        return "no"  # what YAML makes of the code of Norwegian
    if not isinstance(value, str) or len(value) > _LONGEST or not value.strip().isprintable():
        return None
    return value.strip() or None
