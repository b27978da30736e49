"""The examples of README.md run as they are written.

Blocks of ```sql and ```python run in their order, but that the first one, the statement that the page opens with,
comes when there is data for it. Of ```sh, lines of `make` set up an environment of their own: they must name a target
of the Makefile. A block without a language is the command's synopsis: its options must be those that there are.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import text_rows

import modelstore
from modelstore.shell.main import main

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.fixture
def folder(tmp_path: Path, model_path: Callable[[str], Path]) -> Path:
    """What the examples find where they run: their files, and the hub's cache with the model that they fetch."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bert-tiny").symlink_to(model_path("bert"))
    repository = tmp_path / "home" / "hub" / "models--distilbert--distilbert-base-uncased"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / COMMIT).symlink_to(model_path("distilbert"))
    rows = text_rows(80, np.random.default_rng(3))
    with modelstore.connect() as writer:
        writer.register("drawn", rows)
        writer.execute(
            f"COPY (SELECT text AS review, label AS stars FROM drawn) TO '{tmp_path}/reviews.parquet';"
            f"COPY (SELECT text AS body, label AS queue FROM drawn) TO '{tmp_path}/tickets.csv'"
        )
    (tmp_path / "matrix.csv").write_text("dataset,bert,roberta\nsst2,0.91,0.94\ncola,0.52,0.6\n")
    (tmp_path / "curves.csv").write_text("model,dataset,stage,validation\nbert,sst2,1,0.8\nbert,sst2,2,0.9\n")
    return tmp_path


def ran(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "home"),
        "MODELSTORE_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sql_and_python_run_as_written(folder: Path) -> None:
    first, *others = blocks("sql")
    scripts = []
    for number, block in enumerate([*others, first]):
        path = folder / f"{number}.sql"
        path.write_text(block)
        scripts += ["-f", str(path)]
    shown = ran(folder, "-m", "modelstore.shell", "zoo.db", "--format", "jsonl", *scripts)
    assert shown.count('"checkpoint":') >= 3
    ranked, best = (ran(folder, "-c", python).splitlines() for python in blocks("python"))
    assert [line.split()[0] for line in ranked] == ["1", "2"]
    assert len(best) == 1


def test_what_make_is_told_is_a_target() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert lines
    for line in lines:
        assert line.startswith("make ")
        assert line.split()[1] in targets


def test_the_synopsis_names_the_commands_options(capsys: pytest.CaptureFixture[str]) -> None:
    [synopsis] = blocks("")
    with pytest.raises(SystemExit):
        main(["--help"])
    helped = capsys.readouterr().out
    options = re.findall(r"(?<![\w-])--?[a-z]+(?:-[a-z]+)*", synopsis)
    assert {"-c", "-f", "--format"} <= {*options}
    assert all(option in helped for option in options)
