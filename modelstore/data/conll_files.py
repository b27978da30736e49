"""Text files in the manner of CoNLL: a line a token with its tags, and a blank line after each sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from modelstore.data.split_names import split_of
from modelstore.sql_text import file_literal, literal

_HEAD = 1 << 18  # bytes that are looked at
_MANY = 300  # tags: more are words
_LONGEST = 100.0  # lines of a sentence, on average: more are in a table with a blank line here and there
_DOCUMENT = "-DOCSTART-"
_COMMENT = r"(?:^|\n[ \t\r]*\n)# "  # before a sentence
_SPLITS = {
    "devel": "validation",
    "testa": "validation",
    "testb": "test",
}  # as in CoNLL's and BioNLP's own files
_UNIVERSAL = 10  # columns of a CoNLL-U file: the second is the form, the fourth the part of speech


@dataclass(frozen=True)
class ConllFile:
    """How a file is written.

    Parameters
    ----------
    path
        The file.
    columns
        How many values a line has; None: CoNLL-U, whose lines have ten with tabs between them.
    comments
        Whether there are lines that begin with ``# `` and are no tokens.
    """

    path: Path
    columns: int | None
    comments: bool

    def split_in(self, root: Path) -> str | None:
        """The split that the names of the file and its folder below ``root`` say; None where they say none."""
        said = [split for word, split in _SPLITS.items() if word in self.path.name.lower()]
        folder = self.path.parent.name if self.path.parent != root else ""
        return said[0] if said else split_of(self.path.name) or split_of(folder)

    def query(self, split: str | None) -> str:
        """A query for its sentences: the first value of each line as token, the last one as tag."""
        kept = [r"regexp_matches(line, '\S')", f"NOT starts_with(line, '{_DOCUMENT}')"]
        if self.comments:
            kept.append("NOT starts_with(line, '# ')")
        token, tag = r"regexp_extract(line, '\S+')", r"regexp_extract(line, '(\S+)\s*$', 1)"
        if self.columns is None:
            kept = [r"regexp_matches(line, '^\d+\t')"]
            token, tag = "split_part(line, chr(9), 2)", "split_part(line, chr(9), 4)"
        sentences = r"unnest(regexp_split_to_array(content, '\n\s*\n')) AS sentence"
        lines = f"list_filter(string_split(sentence, chr(10)), lambda line: {' AND '.join(kept)})"
        return (
            f"SELECT list_transform(lines, lambda line: {token}) AS tokens, "
            f"list_transform(lines, lambda line: {tag}) AS tags"
            f"{f', {literal(split)} AS split' if split else ''} "
            f"FROM (SELECT {lines} AS lines FROM (SELECT {sentences} FROM read_text({file_literal(self.path)}))) "
            "WHERE len(lines) > 0"
        )


def look_into_conll(path: Path) -> ConllFile | None:
    """How a file is written in the manner of CoNLL; None where it is not."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        text = head.decode("utf-8", errors="ignore" if len(head) == _HEAD else "strict")
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.split("\n")[: -1 if len(head) == _HEAD else None]
    tokens = [line for line in lines if line.strip() and not line.startswith(_DOCUMENT)]
    sentences = len(re.findall(r"\S[ \t\r]*\n\s*\n(?=\S)", text)) + 1
    if len(tokens) < 2 or sentences < 2 or len(tokens) / sentences > _LONGEST:
        return None
    universal = [line for line in tokens if re.match(r"\d[\d.-]*\t", line)]
    if universal and all(line.count("\t") == _UNIVERSAL - 1 for line in universal):
        return ConllFile(path, None, True) if _are_comments(set(tokens) - set(universal)) else None
    comments = len(_widths(tokens)) > 1 or len(re.findall(_COMMENT, text)) >= sentences / 2
    if comments:
        tokens = [line for line in tokens if not line.startswith("# ")]
    widths = _widths(tokens)
    if len(widths) != 1 or min(widths) < 2:
        return None
    tags = {_values(line)[-1] for line in tokens}
    return ConllFile(path, min(widths), comments) if 1 < len(tags) <= min(_MANY, len(tokens) / 2) else None


def _widths(lines: list[str]) -> set[int]:
    return {len(_values(line)) for line in lines}


def _values(line: str) -> list[str]:
    return re.findall(r"\S+", line, re.ASCII)


def _are_comments(lines: set[str]) -> bool:
    return all(line.startswith("#") for line in lines)
