"""A table drawn for people: fitted to the terminal's width, and cut in the middle where it is long."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Where columns do not fit, each may be as narrow as this before some are left out, as in DuckDB's shell.
_NARROW = 12
_TYPE = 20
_ESCAPES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"} | {
    code: f"\\x{code:02X}" for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))
}
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*\)")


@dataclass(frozen=True)
class Rows:
    """What is shown of a result: its first rows, its last, and how many there are in all. None is NULL."""

    names: Sequence[str]
    types: Sequence[str]
    first: Sequence[Sequence[str | None]]
    last: Sequence[Sequence[str | None]]
    total: int


def display_width(text: str) -> int:
    """How many cells of a terminal a text takes: two for CJK and emoji, none for what combines.

    Of an emoji of several characters each counts: many terminals draw them so, and where one draws them as one, a
    line is too short rather than too long.
    """
    if text.isascii():
        return len(text)
    from wcwidth import wcwidth

    return sum(max(wcwidth(character), 0) for character in text)


def printable(text: str) -> str:
    """A text on one line, with what a terminal would obey made visible."""
    return text.translate(_ESCAPES)


def cut(text: str, width: int) -> str:
    """A text in at most ``width`` cells, ending in … where it was longer."""
    if display_width(text) <= width:
        return text
    kept = text[: max(width, 1)]
    while kept and display_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def draw(rows: Rows, width: int | None) -> str:
    """The box; ``width`` is the terminal's, None for no limit."""
    cells = [[_shown(value) for value in row] for row in (*rows.first, *rows.last)]
    names = [printable(name) for name in rows.names]
    types = [name.lower() for name in rows.types]
    natural = [
        max(map(display_width, column))
        for column in zip(names, [_short(name) for name in types], *cells, strict=True)
    ]
    kept, widths = _fit(natural, width)
    right = [_NUMBER.fullmatch(name) is not None for name in rows.types]
    elided = len(kept) < len(names)
    gap = (len(kept) + 1) // 2 if elided else len(kept)

    def line(values: Sequence[str], centred: bool = False) -> str:
        padded = []
        for place, column in enumerate(kept):
            if elided and place == gap:
                padded.append("…")
            padded.append(_pad(cut(values[column], widths[place]), widths[place], right[column], centred))
        if elided and gap == len(kept):
            padded.append("…")
        return "│ " + " │ ".join(padded) + " │"

    sizes = [*widths[:gap], 1, *widths[gap:]] if elided else widths
    body = [line(row) for row in cells]
    if rows.total > len(cells):
        dots = line(["·"] * len(names))
        body[len(rows.first) : len(rows.first)] = [dots] * 3
    drawn = [
        _rule(sizes, "┌┬┐"),
        line(names, centred=True),
        line([_short(name) for name in types], centred=True),
        *([_rule(sizes, "├┼┤")] if body else []),
        *body,
    ]
    footer = _footer(rows, len(cells), len(kept))
    inner = sum(sizes) + 3 * len(sizes) - 3
    if footer and display_width(footer) <= inner:
        drawn += [_rule(sizes, "├┴┤"), f"│ {footer}{' ' * (inner - len(footer))} │", _rule([inner], "└─┘")]
    else:
        drawn += [_rule(sizes, "└┴┘"), *([footer] if footer else [])]
    return "\n".join(drawn) + "\n"


def _shown(value: str | None) -> str:
    return "NULL" if value is None else printable(value)


def _short(type_name: str) -> str:
    return cut(type_name, _TYPE)


def _pad(text: str, width: int, right: bool, centred: bool) -> str:
    space = width - display_width(text)
    if centred:
        return " " * (space // 2) + text + " " * (space - space // 2)
    return " " * space + text if right else text + " " * space


def _rule(sizes: Sequence[int], corners: Sequence[str]) -> str:
    left, middle, right = corners
    return left + middle.join("─" * (size + 2) for size in sizes) + right


def _footer(rows: Rows, shown: int, columns: int) -> str:
    """How much there is, where it is worth saying: what is cut, or more than one can count at a glance."""
    cut_columns = columns < len(rows.names)
    if rows.total == shown and not cut_columns and rows.total not in range(10, 10**9) and rows.total != 0:
        return ""
    text = f"{rows.total:,} row{'' if rows.total == 1 else 's'}"
    if rows.total > shown:
        text += f" ({shown} shown)"
    if cut_columns:
        text += f", {len(rows.names)} columns ({columns} shown)"
    return text


def _fit(natural: Sequence[int], width: int | None) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide: all, narrowed where they must be, or the outer ones."""
    everything = list(range(len(natural)))
    if width is None:
        return everything, list(natural)
    space = width - 1  # a column takes its width, two blanks and a line
    if sum(natural) + 3 * len(natural) <= space:
        return everything, list(natural)
    narrow = [min(size, _NARROW) for size in natural]
    if sum(narrow) + 3 * len(narrow) <= space:
        cap = _NARROW
        while sum(min(size, cap + 1) for size in natural) + 3 * len(natural) <= space:
            cap += 1
        return everything, [min(size, cap) for size in natural]
    left: list[int] = []
    right: list[int] = []
    space -= 4  # the column of …
    low, high = 0, len(natural) - 1
    while low <= high:
        column = low if len(left) <= len(right) else high
        if narrow[column] + 3 > space:
            break
        space -= narrow[column] + 3
        if column == low and len(left) <= len(right):
            left.append(column)
            low += 1
        else:
            right.insert(0, column)
            high -= 1
    kept = [*left, *right] or [0]
    sizes = [narrow[column] for column in kept]
    return kept, sizes if left or right else [max(1, space - 3)]
