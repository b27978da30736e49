"""A table drawn for people: fitted to the terminal's width, and cut in the middle where it is long."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modelstore.shell.render.cells import cut, display_width, pad
from modelstore.visible import visible_on_one_line

# Where columns do not fit, numbers are rounded to these cells first; then each column may be as narrow as this before
# some are left out, as in DuckDB's shell.
_ROUNDED = 10
_NARROW = 12
_TYPE = 20
DOTS = 3  # the lines that stand for rows that are left out
_FRACTION = ("DOUBLE", "FLOAT")
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*\)")

Row = Sequence[str | None]  # None is NULL


@dataclass(frozen=True)
class Columns:
    """A result's columns: their names and DuckDB's types."""

    names: Sequence[str]
    types: Sequence[str]


class Box:
    """A table's lines.

    Parameters
    ----------
    columns
        The result's columns.
    natural
        The width that each column needs, as `widest` computes it.
    width
        The cells of the terminal; None for no limit.
    """

    def __init__(self, columns: Columns, natural: Sequence[int], width: int | None):
        self._columns = columns
        self._fractions = [name in _FRACTION for name in columns.types]
        self._kept, self._widths = _fit(natural, self._fractions, width)
        self._right = [_NUMBER.fullmatch(name) is not None for name in columns.types]
        self._gap: int | None = None  # where columns are left out
        self._sizes = list(self._widths)
        if len(self._kept) < len(columns.names):
            self._gap = (len(self._kept) + 1) // 2
            self._sizes.insert(self._gap, 1)

    def head(self, *, empty: bool) -> Iterator[str]:
        """The lines above the rows, if there are any."""
        yield _rule(self._sizes, "┌┬┐")
        yield self._line([visible_on_one_line(name) for name in self._columns.names], centred=True)
        yield self._line([_short(name) for name in self._columns.types], centred=True)
        if not empty:
            yield _rule(self._sizes, "├┼┤")

    def row(self, values: Row) -> str:
        """The line of a row."""
        shown = [_shown(value) for value in values]
        for column, width in zip(self._kept, self._widths, strict=True):
            if self._fractions[column]:
                shown[column] = _rounded(shown[column], width)
        return self._line(shown)

    def dots(self) -> list[str]:
        """The lines that stand for rows that are left out."""
        return [self._line(["·"] * len(self._columns.names))] * DOTS

    def foot(self, total: int, shown: int) -> Iterator[str]:
        """The lines below the rows: ``shown`` of ``total`` are drawn."""
        said = self._said(total, shown)
        inner = sum(self._sizes) + 3 * len(self._sizes) - 3
        if said and display_width(said) <= inner:
            yield _rule(self._sizes, "├┴┤")
            yield f"│ {pad(said, inner)} │\n"
            yield _rule([inner], "└─┘")
        else:
            yield _rule(self._sizes, "└┴┘")
            yield f"{said}\n" if said else ""

    def _line(self, values: Sequence[str], centred: bool = False) -> str:
        cells = [
            _aligned(cut(values[column], width), width, self._right[column], centred)
            for column, width in zip(self._kept, self._widths, strict=True)
        ]
        if self._gap is not None:
            cells.insert(self._gap, "…")
        return "│ " + " │ ".join(cells) + " │\n"

    def _said(self, total: int, shown: int) -> str:
        """The number of rows and columns, where some are left out or there are more than ten."""
        columns = len(self._columns.names)
        if total == shown and self._gap is None and 0 < total < 10:
            return ""
        said = f"{total:,} row{'' if total == 1 else 's'}"
        if total > shown:
            said += f" ({shown} shown)"
        if self._gap is not None:
            said += f", {columns} columns ({len(self._kept)} shown)"
        return said


def widest(columns: Columns, rows: Iterable[Row]) -> list[int]:
    """The cells of each column: of the widest among its values, its name and its type."""
    widths = [
        max(display_width(visible_on_one_line(name)), display_width(_short(kind)))
        for name, kind in zip(columns.names, columns.types, strict=True)
    ]
    for row in rows:
        for place, value in enumerate(row):
            widths[place] = max(widths[place], display_width(_shown(value)))
    return widths


def draw(
    columns: Columns, first: Sequence[Row], last: Sequence[Row], total: int, width: int | None
) -> Iterator[str]:
    """The lines of a box with the first and the last of a result's ``total`` rows."""
    rows = [*first, *last]
    box = Box(columns, widest(columns, rows), width)
    yield from box.head(empty=not rows)
    yield from map(box.row, first)
    if total > len(rows):
        yield from box.dots()
    yield from map(box.row, last)
    yield from box.foot(total, len(rows))


def _shown(value: str | None) -> str:
    return "NULL" if value is None else visible_on_one_line(value)


def _rounded(number: str, width: int) -> str:
    """A number rounded to as many digits as ``width`` cells hold."""
    if len(number) <= width:
        return number
    shorter = (f"{float(number):.{digits}g}" for digits in range(width, 0, -1))
    return next((text for text in shorter if len(text) <= width), number)


def _short(type_name: str) -> str:
    return cut(type_name.lower(), _TYPE)


def _aligned(text: str, width: int, right: bool, centred: bool) -> str:
    space = width - display_width(text)
    before = space // 2 if centred else space if right else 0
    return " " * before + text + " " * (space - before)


def _rule(sizes: Sequence[int], corners: Sequence[str]) -> str:
    left, middle, right = corners
    return left + middle.join("─" * (size + 2) for size in sizes) + right + "\n"


def _fit(natural: Sequence[int], fractions: Sequence[bool], width: int | None) -> tuple[list[int], list[int]]:
    """The columns that are shown, with their widths: all, narrowed where they must be, or the outer ones."""
    everything = list(range(len(natural)))
    if width is None or _taken(natural) < width:
        return everything, list(natural)
    natural = [
        min(size, _ROUNDED) if fraction else size for size, fraction in zip(natural, fractions, strict=True)
    ]
    if _taken(natural) < width:
        return everything, natural
    narrow = [min(size, _NARROW) for size in natural]
    if _taken(narrow) < width:
        cap = _NARROW
        while _taken([min(size, cap + 1) for size in natural]) < width:
            cap += 1
        return everything, [min(size, cap) for size in natural]
    kept = _outer(narrow, width - 1 - 4)  # beside the column of …
    if not kept:
        return [0], [max(1, width - 1 - 4 - 3)]
    return kept, [narrow[column] for column in kept]


def _taken(sizes: Sequence[int]) -> int:
    """The cells that columns take of a line, without its last: each has two blanks and a rule."""
    return sum(sizes) + 3 * len(sizes)


def _outer(sizes: Sequence[int], space: int) -> list[int]:
    """The columns that fit, taken from the left and the right in turn."""
    left: list[int] = []
    right: list[int] = []
    while len(left) + len(right) < len(sizes):
        from_left = len(left) <= len(right)
        column = len(left) if from_left else len(sizes) - 1 - len(right)
        space -= sizes[column] + 3
        if space < 0:
            break
        (left if from_left else right).append(column)
    return [*left, *reversed(right)]
