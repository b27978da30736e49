"""The parts of a text that the shell is given: SQL, and dot commands on lines of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from modelstore.language.tokens import tokenize

_DOT_LINE = re.compile(r"^[ \t]*\.[^\n]*", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A stretch of a text: a dot command's line, or SQL."""

    text: str
    start: int
    is_dot: bool


def parts_of(text: str) -> Iterator[Part]:
    """Cuts a text into SQL and dot commands: lines that begin with a dot where a statement may begin."""
    start = 0
    for match in _DOT_LINE.finditer(text):
        before = text[start : match.start()]
        if not _is_between_statements(before):
            continue
        if before.strip():
            yield Part(before, start, is_dot=False)
        yield Part(match[0].strip(), match.start(), is_dot=True)
        start = match.end()
    if text[start:].strip():
        yield Part(text[start:], start, is_dot=False)


def _is_between_statements(before: str) -> bool:
    tokens = tokenize(before)
    if tokens and not tokens[-1].is_operator(";"):
        return False
    rest = before[tokens[-1].end :] if tokens else before
    comment = rest.rfind("/*")
    return comment < 0 or "*/" in rest[comment:]


def is_complete(text: str) -> bool:
    """Whether a text can be run as it is: a dot command, statements up to a semicolon, or nothing."""
    parts = list(parts_of(text))
    if not parts or parts[-1].is_dot:
        return True
    tokens = tokenize(parts[-1].text)
    return not tokens or tokens[-1].is_operator(";")
