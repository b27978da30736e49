"""The shell says that there are old leftovers, and nothing of new ones."""

import io
import os
import subprocess
import sys
from pathlib import Path

import modelstore
from modelstore.shell.app import Shell
from modelstore.shell.leftovers import offer_leftovers


def said(path: Path, read_only: bool = False) -> str:
    messages = io.StringIO()
    with modelstore.connect(path, read_only=read_only) as connection:
        offer_leftovers(Shell(connection, str(path), out=io.BytesIO(), messages=messages))
    return messages.getvalue()


def test_old_leftovers_are_offered_to_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    assert said(path) == ""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name, age in (("old", 30), ("new", 0)):
        folder = tmp_path / "zoo.db.checkpoints" / f".1-{name}.{ended.pid}.partial"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(bytes(5000))
        if age:
            for one in (folder / "weights", folder):
                os.utime(one, (1_000_000_000, 1_000_000_000))
    assert said(path) == (
        "1 leftover of killed statements or dropped models takes 5.0 kB: LIST LEFTOVERS shows them, "
        "REMOVE LEFTOVERS removes them.\n"
    )
    assert said(path, read_only=True) == ""
