"""Whether a JSON file holds rows, or describes what other files hold."""

import re
from pathlib import Path

_HEAD = 1 << 16  # bytes
_ROWS = re.compile(r"\s*\[\s*\{|\s*\{[^\n]*\}\s*\n\s*\{")  # an array of objects, or an object a line


def describes(path: Path) -> bool:
    """Whether a file is no rows: one object, or an array of words, such as the names of classes."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    except OSError:
        return False  # said when it is read
    return _ROWS.match(head) is None
