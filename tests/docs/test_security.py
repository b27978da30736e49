"""Each promise of SECURITY.md names tests, which are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tests_that_hold_the_promises_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"tests/[\w/]+\.py", text)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []
    promises = re.findall(r"^- \*\*.+?(?=^- \*\*|^#|^\n)", text, re.S | re.M)
    without = [one for one in promises if "tests/" not in one and "Worker processes" not in one]
    assert without == []
