"""The examples of README.md, and those of the command's help, run as they are written.

Blocks of ```sql and ```python run in their order, but that the first one, the statement that the page opens with,
comes when there is data for it; so does what a dot command is told in the text. What takes minutes or a network is
not run to its end: make tells what it would do, what pip would install is declared, the benchmarks are there. A block
without a language is the command's synopsis: its options must be those that there are.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import text_rows

import modelstore
from modelstore.shell.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
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


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "home"),
        "MODELSTORE_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }


def ran(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_text(pattern: str) -> list[str]:
    """The code in the README's text, outside of its blocks, that begins so."""
    return re.findall(rf"`({pattern}[^`\n]*)`", README)


def test_sql_and_python_run_as_written(folder: Path) -> None:
    first, *others = blocks("sql")
    scripts = []
    for number, block in enumerate([*others, first]):
        path = folder / f"{number}.sql"
        path.write_text(block)
        scripts += ["-f", str(path)]
    shown = ran(folder, sys.executable, "-m", "modelstore.shell", "zoo.db", "--format", "jsonl", *scripts)
    assert shown.count('"checkpoint":') >= 3
    ranked, best = (ran(folder, sys.executable, "-c", python).splitlines() for python in blocks("python"))
    assert [line.split()[0] for line in ranked] == ["1", "2"]
    assert len(best) == 1

    [plot] = in_text(r"\.plot ")
    pytest.importorskip("matplotlib")
    ran(folder, sys.executable, "-m", "modelstore.shell", "zoo.db", "-c", plot)
    assert (folder / plot.split()[-1]).exists()


def test_the_examples_of_the_commands_help_run_as_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    command = folder / "bin" / "modelstore"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m modelstore.shell "$@"\n')
    command.chmod(0o755)
    (folder / "load.sql").write_text(
        "CREATE OR REPLACE MODEL bert FROM 'models/bert-tiny';"
        "CREATE OR REPLACE DATASET reviews FROM 'reviews.parquet' WITH (text = 'review', label = 'stars')"
    )
    lines = [re.split(" {2,}", line.strip())[0] for line in examples.splitlines() if line.strip()]
    for line in sorted(lines, key=lambda line: "load.sql" not in line):  # what loads comes first
        shown = ran(folder, "sh", "-c", f'PATH="$PWD/bin:$PATH"; exec </dev/null; {line}')
        assert shown or "-c" not in line
    assert len(lines) >= 5


def test_what_make_is_told_is_a_target() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()] + in_text("make ")
    assert lines
    for line in lines:
        assert line.startswith("make ")
        told = subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, check=False)
        assert told.returncode == 0, told.stderr


def test_what_pip_is_told_is_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = in_text("pip install ")
    assert lines
    for line in lines:
        for word in shlex.split(line)[2:]:
            extra = re.fullmatch(r"modelstore\[(\w+)\]", word)
            assert extra[1] in extras if extra else word == "-c" or (ROOT / word).exists()


def test_the_benchmarks_that_figures_are_of_are_there() -> None:
    commands = in_text("python ")
    named = {Path(command.split()[1]).name for command in commands} | {
        text.split()[0] for text in in_text(r"\w+\.py")
    }
    assert {"shell.py", "replay.py"} <= named - {"…"}
    for name in named - {"…"}:
        path = ROOT / "benchmarks" / name
        compile(path.read_text("utf-8"), str(path), "exec")


def test_the_synopsis_names_the_commands_options(capsys: pytest.CaptureFixture[str]) -> None:
    [synopsis] = blocks("")
    with pytest.raises(SystemExit):
        main(["--help"])
    helped = capsys.readouterr().out
    options = re.findall(r"(?<![\w-])--?[a-z]+(?:-[a-z]+)*", synopsis)
    assert {"-c", "-f", "--format"} <= {*options}
    assert all(option in helped for option in options)
