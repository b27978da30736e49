"""How the shell writes an error: one sentence, and below it the line that it is about, with a caret."""

import re

import duckdb

from modelstore.shell.render.cells import cut, display_width
from modelstore.visible import VisibleMessage, visible

_EXCERPT = re.compile(r"^LINE (\d+): (.*)\n( *)(\^*)", re.MULTILINE)
_LEAST = 20  # cells of a line that are shown in any case


class ShellError(VisibleMessage, Exception):
    """A dot command that cannot be run; the message is one sentence."""


def message_of(error: BaseException, sql: str = "", lines_before: int = 0, width: int | None = None) -> str:
    """An error's message, with the line that it is about.

    Parameters
    ----------
    error
        The error.
    sql
        The statement that ran.
    lines_before
        How many lines of the whole text are before it.
    width
        The cells of the terminal, which the line is cut to; None for no limit.
    """
    message = visible(_sentence(error)).strip().replace("\n\nLINE ", "\nLINE ")
    found = _EXCERPT.search(message)
    if found is None:
        return message
    number, line, blanks, carets = int(found[1]), found[2], found[3], found[4]
    label = f"LINE {_line_of(number, line, sql) + lines_before}: "
    column = len(blanks) - len(f"LINE {number}: ")
    if width is not None:
        space = max(width - len(label), _LEAST)
        line, column = _fitted(line, column, space)
        carets = carets[: max(space - column, 1)]
    excerpt = f"{label}{line}\n{' ' * (len(label) + column)}{carets}"
    return message[: found.start()] + excerpt + message[found.end() :]


def _sentence(error: BaseException) -> str:
    if isinstance(error, (duckdb.Error, ShellError)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f': "{error.filename}"' if error.filename else "")
    return f"{type(error).__name__}: {str(error) or 'without a message'}"


def _fitted(line: str, column: int, width: int) -> tuple[str, int]:
    """A line cut to ``width`` cells around its cell ``column``, and where that cell is then."""
    if display_width(line) <= width:
        return line, column
    kept = line
    while kept and column > width * 2 // 3:  # leaves out the beginning, for which … stands
        column -= display_width(kept[0])
        kept = kept[1:]
    if kept != line:
        kept, column = "…" + kept, column + 1
    return cut(kept, width), column


def _line_of(number: int, shown: str, sql: str) -> int:
    """The number in ``sql`` of a line that DuckDB shows; the planner puts lines before a query inside a clause."""
    lines = sql.split("\n")
    part = shown.strip(".").strip()
    for before in (0, 1, 2):
        if 0 <= number - 1 - before < len(lines) and part in lines[number - 1 - before]:
            return number - before
    return number
