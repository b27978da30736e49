"""What the metadata of a model's card says: licence, languages, tags, base. It is the YAML that begins it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_YAML = 50_000  # characters that are read: PyYAML takes a second for them
_BLOCK = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_LONGEST = 500  # characters of a value that means something
_MOST_LISTED = 500


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
    tags
        Words that the model is found by.
    base_model
        The repository of the one model that it was made from, ``owner/name``.
    """

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    base_model: str | None = None


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
    return metadata_of(found)


def metadata_of(found: Any) -> CardMetadata:
    """What a card's metadata says, as YAML or the hub has it; what is of another form than a card's says nothing."""
    if not isinstance(found, Mapping):
        return CardMetadata()
    return CardMetadata(
        license=_text(found.get("license")),
        license_name=_text(found.get("license_name")),
        license_link=_text(found.get("license_link")),
        languages=texts(found.get("language")),
        tags=texts(found.get("tags")),
        base_model=_text(found.get("base_model")),
    )


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text, without what is none and without repetitions."""
    values = value[:_MOST_LISTED] if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(text for text in map(_text, values) if text is not None))


def _text(value: Any) -> str | None:
    """A value that is one line of text; of a list, the only one in it."""
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    if value is False:
        return "no"  # what YAML makes of the code of Norwegian
    if not isinstance(value, str) or len(value) > _LONGEST or not value.strip().isprintable():
        return None
    return value.strip() or None
