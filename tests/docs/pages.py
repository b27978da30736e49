"""The pages of the documentation, and the examples on them.

An example is a fenced block. A comment right before it may say how the tests treat it:

- `<!-- example: parsed only, it needs the hub -->`: it is read and not run; the comment says why.
- `<!-- example: raises OptionError -->`: it must fail with an error of that class.
- `<!-- example: needs polars, ibis -->`: it is run where these packages are installed, and else read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
GENERATED = ROOT / "docs" / "sql.md"  # its examples are grammar; what it says is tested where it is made
# Each begins with an empty database; the others find one with models, datasets and records.
EMPTY_AT_FIRST = {
    ROOT / "docs" / name for name in ("tutorial.md", "tutorial-records.md", "how-to/load-results.md")
}

_FENCE = re.compile(
    r"(?:^<!-- example: (?P<mark>.*?) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A fenced block: its page, first line, language, text, and what its comment says."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        if self.mark.startswith("needs "):
            return all(find_spec(package) for package in self.mark.removeprefix("needs ").split(", "))
        return not self.mark.startswith("parsed only")

    @property
    def error(self) -> str | None:
        """The name of the error's class that the example must raise."""
        return self.mark.removeprefix("raises ") if self.mark.startswith("raises ") else None


def pages() -> list[Path]:
    """README.md, the other pages at the root, and all of docs/ that is written by hand."""
    written = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {GENERATED, README})
    return [README, *written]


def examples(page: Path, *languages: str) -> list[Example]:
    """The examples on a page in their order, of the languages where some are named."""
    return [one for one in _examples(page) if not languages or one.language in languages]


def _examples(page: Path) -> Iterator[Example]:
    source = page.read_text("utf-8")
    for found in _FENCE.finditer(source):
        line = source.count("\n", 0, found.start("text")) + 1
        yield Example(page, line, found["language"], found["text"], found["mark"] or "")


def in_text(page: Path, pattern: str) -> list[str]:
    """The code in a page's text, outside of its blocks, that begins with a pattern."""
    return re.findall(rf"`({pattern}[^`\n]*)`", _FENCE.sub("", page.read_text("utf-8")))


def links(page: Path) -> list[str]:
    """The targets of a page's relative links and pictures."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:|#", link)]
