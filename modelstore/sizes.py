"""Bytes, as people read and write them."""

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def size(memory: float) -> str:
    """Bytes for people: ``740 kB``, ``1.2 GB``."""
    value, unit = memory / 1e3, "kB"
    for larger in ("MB", "GB"):
        if value >= 999.5:
            value, unit = value / 1e3, larger
    return f"{value:.1f} {unit}" if unit == "GB" or 0 < value < 9.95 else f"{value:.0f} {unit}"


def read_size(text: str) -> int | None:
    """The bytes of a size such as ``10GB`` or ``500 MB``; None where it is none."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", text, re.I)
    return None if found is None else int(float(found[1]) * _UNITS[found[2].upper()])
