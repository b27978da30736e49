"""What was written after `WITH`, checked against a statement's options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelstore.errors import OptionError, did_you_mean, point_at
from modelstore.option_types import OptionType


@dataclass(frozen=True)
class Given:
    """An option as it was written: its value, parameters filled in, and its place for errors."""

    name: str
    value: object
    start: int
    end: int


def check(given: list[Given], allowed: Mapping[str, OptionType], sql: str) -> dict[str, Any]:
    """The options that were given, by name, checked and in their type. Raises ``OptionError``."""
    checked: dict[str, Any] = {}
    for option in given:
        name = option.name.lower()
        if name not in allowed:
            raise OptionError(point_at(_unknown(option.name, allowed), sql, option.start, option.end))
        if name in checked:
            message = f'Binder Error: the option "{name}" is given twice: give it once'
            raise OptionError(point_at(message, sql, option.start, option.end))
        kind = allowed[name]
        if not kind.accepts(option.value):
            message = (
                f'Binder Error: the option "{name}" takes {_expectation(kind, option.value)}, '
                f"not {_shown(option.value)}"
                + (did_you_mean(option.value, kind.choices) if isinstance(option.value, str) else "")
            )
            raise OptionError(point_at(message, sql, option.start, option.end))
        checked[name] = kind.convert(option.value)
    return checked


def _unknown(name: str, allowed: Mapping[str, OptionType]) -> str:
    if not allowed:
        return f'Binder Error: unknown option "{name}": this statement takes none'
    hint = did_you_mean(name, allowed)
    return f'Binder Error: unknown option "{name}"{hint}; the options here are {", ".join(sorted(allowed))}'


def _expectation(kind: OptionType, value: object) -> str:
    """What an option takes instead of the value."""
    if kind.listed and isinstance(value, (list, tuple)):
        return f"{kind.expectation()}, or a list of such values"
    return kind.expectation()


def _shown(value: object) -> str:
    return "NULL" if value is None else repr(value)
