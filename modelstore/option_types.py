"""What an option takes, and the base of the classes of `options`: their fields are options with a help text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class OptionType:
    """What one option takes.

    Parameters
    ----------
    kind
        ``bool``, ``int``, ``float``, ``str``, or ``tuple`` for a list of rising numbers, or of names.
    default
        The value where the option is not given; None where it has none.
    help
        One line for people: what the option does, with its unit.
    choices
        In lower case, the values of a ``str`` option, empty where any text will do; of another, the words that it
        takes beside numbers.
    minimum, maximum
        The bounds of a number, or of each number of a list; with ``exclusive`` the minimum itself is out of range.
    names
        Whether a list holds names.
    listed
        Whether a list of values may be given instead of one; each of them is tried.
    """

    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    exclusive: bool = False
    maximum: float | None = None
    names: bool = False
    listed: bool = False

    def accepts(self, value: object) -> bool:
        """Whether ``value``, or each value of a list of them, is of the right type and in range."""
        if self.listed and isinstance(value, (list, tuple)):
            return bool(value) and all(map(self._accepts_one, value))
        return self._accepts_one(value)

    def _accepts_one(self, value: object) -> bool:
        if self.kind is bool:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        if isinstance(value, str):
            return value.lower() in self.choices if self.choices else self.kind is str
        if self.kind is str:
            return False
        if self.kind is tuple:
            return self._accepts_names(value) if self.names else self._accepts_list(value)
        return self._accepts_number(value)

    def _accepts_names(self, values: object) -> bool:
        if not isinstance(values, (list, tuple)) or not values:
            return False
        return all(isinstance(value, str) and value for value in values) and len(set(values)) == len(values)

    def _accepts_list(self, values: object) -> bool:
        if not isinstance(values, (list, tuple)) or not values or any(isinstance(v, bool) for v in values):
            return False
        if not all(self._accepts_number(value) for value in values):
            return False
        return all(earlier < later for earlier, later in pairwise(values))

    def _accepts_number(self, value: object) -> bool:
        if (
            not isinstance(value, (int, float)) or not abs(value) < 2**63
        ):  # NaN compares false with every bound
            return False
        if self.kind is int and value != int(value):
            return False
        if self.maximum is not None and value > self.maximum:
            return False
        return self.minimum is None or (value > self.minimum if self.exclusive else value >= self.minimum)

    def convert(self, value: Any) -> Any:
        """An accepted value in the option's own type, a list as a tuple; choices are in lower case."""
        if self.listed and isinstance(value, (list, tuple)):
            return tuple(map(self._convert_one, value))
        return self._convert_one(value)

    def _convert_one(self, value: Any) -> Any:
        if self.kind is tuple:
            return tuple(value) if self.names else tuple(float(one) for one in value)
        return value.lower() if self.choices and isinstance(value, str) else self.kind(value)

    def expectation(self) -> str:
        """What the option takes, for an error message."""
        if self.kind is bool:
            return "true or false"
        words = ", ".join(f"'{choice}'" for choice in self.choices)
        if self.kind is str:
            return f"one of {words}" if words else "a text value"
        if self.names:
            return "a list of different names"
        return f"{self._expected_number()}, or {words}" if words else self._expected_number()

    def _expected_number(self) -> str:
        if self.kind is tuple:
            return f"a list of rising numbers {'above' if self.exclusive else 'of at least'} {self.minimum:g}"
        noun = "a whole number" if self.kind is int else "a number"
        if self.minimum is None:
            return noun
        if self.maximum is not None:
            return f"{noun} from {self.minimum:,.7g} to {self.maximum:,.7g}"
        return f"{noun} {'above' if self.exclusive else 'of at least'} {self.minimum:g}"


def option(default: Any, help: str, **limits: Any) -> Any:
    """A field of an `Options` class: its default, help text, and `OptionType`'s choices or bounds."""
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class Options:
    """The base of all options classes."""

    @classmethod
    def schema(cls) -> dict[str, OptionType]:
        """The options that the class takes, by name, in the order in which they are declared."""
        hints = get_type_hints(cls)
        return {
            one.name: OptionType(
                _plain(hints[one.name]), one.default, **_words(hints[one.name]) | one.metadata
            )
            for one in fields(cls)
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The options with those of ``values`` that the class has; the others are at their defaults."""
        names = {one.name for one in fields(cls)}
        return cls(
            # JSON makes a list of a tuple.
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
                if name in names
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Every option's value, by name."""
        return asdict(self)


def _plain(hint: Any) -> Any:
    """The type of an option that may be absent, or a word: ``float`` of ``float | Literal["auto"] | None``."""
    kinds = (hint,) if get_origin(hint) is tuple else get_args(hint) or (hint,)
    [kind] = [kind for kind in kinds if kind is not type(None) and get_origin(kind) is not Literal]
    return get_origin(kind) or kind


def _words(hint: Any) -> dict[str, Any]:
    """The choices that a type hint names: ``auto`` of ``float | Literal["auto"]``; nothing where it names none."""
    words = tuple(word for kind in get_args(hint) if get_origin(kind) is Literal for word in get_args(kind))
    return {"choices": words} if words else {}
