"""Text in the cells of a terminal: its width, how it is cut to one, and no control characters in it."""


def display_width(text: str) -> int:
    """The number of cells that a text takes: two for CJK and emoji, none for combining characters.

    Each character of an emoji counts, as many terminals draw each; where one draws a single picture, the line is too
    short rather than too long.
    """
    if text.isascii():
        return len(text)
    from wcwidth import wcwidth

    return sum(max(wcwidth(character), 0) for character in text)


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
