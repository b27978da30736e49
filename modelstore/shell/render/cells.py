"""Text in the cells of a terminal: its width, how it is cut to one, and no control characters in it."""

_ESCAPES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"} | {
    code: f"\\x{code:02X}" for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))
}
# What ends a line, or turns the direction of all that follows.
_ESCAPES |= {code: f"\\u{code:04X}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}


def display_width(text: str) -> int:
    """The number of cells that a text takes: two for CJK and emoji, none for combining characters.

    Each character of an emoji counts, as many terminals draw each; where one draws a single picture, the line is too
    short rather than too long.
    """
    if text.isascii():
        return len(text)
    from wcwidth import wcwidth

    return sum(max(wcwidth(character), 0) for character in text)


def printable(text: str) -> str:
    """A text on one line, with its control characters made visible."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def cut(text: str, width: int) -> str:
    """A text cut to ``width`` cells, with … at the end where it was longer."""
    if display_width(text) <= width:
        return text
    kept = text[: max(width, 1)]
    while kept and display_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def pad(text: str, width: int) -> str:
    """A text filled with blanks to ``width`` cells."""
    return text + " " * (width - display_width(text))
