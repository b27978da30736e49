"""Text of others, made fit for a terminal: no control character in it is obeyed."""

_CONTROLS = {code: f"\\x{code:02X}" for code in (*range(9), 11, 12, 13, *range(14, 32), *range(127, 160))}
# What ends a line, or turns the direction of all that follows.
_CONTROLS |= {code: f"\\u{code:04X}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}
_LINES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def visible(text: str) -> str:
    """A text with its control characters made visible, but for the ends of its lines and tabs."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def visible_on_one_line(text: str) -> str:
    """A text on one line, with all its control characters made visible."""
    return text if text.isprintable() else text.translate(_CONTROLS | _LINES)


class VisibleMessage:
    """What an error adds to its class, so that its message is fit for a terminal."""

    def __str__(self) -> str:
        return visible(super().__str__())
