"""Which split a name says: that of a file, of a folder, or a value of a column."""

from __future__ import annotations

import re
from functools import lru_cache

# As the library `datasets` reads them.
KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT_OF_NAME = {keyword: split for split, keywords in KEYWORDS.items() for keyword in keywords}
HELD_OUT = ("test", "validation")  # splits that are made where they are missing, in this order
_KEYWORD = re.compile(rf"(?:^|[-._ 0-9])({'|'.join(SPLIT_OF_NAME)})(?=[-._ 0-9]|$)")


@lru_cache(maxsize=1024)  # of many files, few folders
def split_of(name: str) -> str | None:
    """The split that a name says, such as ``my_dev-00001.csv`` or ``validation_matched``; None if it says none."""
    found = _KEYWORD.search(name.lower())
    return SPLIT_OF_NAME[found[1]] if found else None
