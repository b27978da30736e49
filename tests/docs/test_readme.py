"""What README.md and the command's help show, as a user runs it, with what must come out."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pages import README, ROOT, examples, in_text

import modelstore
from modelstore.shell.main import main

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_selects_a_model_and_saves_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = examples(README, "sql")  # the page opens with the statement that the others lead to
    scripts = []
    for number, example in enumerate([*others, first]):
        path = folder / f"{number}.sql"
        path.write_text(example.text)
        scripts += ["-f", str(path)]
    assert main(["zoo.db", "--format", "jsonl", *scripts]) == 0
    assert capsys.readouterr().out.count('"checkpoint":') >= 2
    printed = []
    for example in examples(README, "python"):
        exec(compile(example.text, example.place, "exec"), {"__name__": "__main__"})
        printed.append(capsys.readouterr().out.splitlines())
    best, ranked = printed
    assert len(best) == 1
    assert [line.split()[0] for line in ranked] == ["1", "2"]


def test_the_shells_page_draws_a_selection(folder: Path, records: Path) -> None:
    pytest.importorskip("matplotlib")
    (folder / "zoo.db").write_bytes(records.read_bytes())
    with modelstore.connect("zoo.db") as store:
        store.execute("SELECT BEST MODEL FOR tickets WITH (executor = 'replay', epochs = 2)")
    [plot] = [text for text in in_text(ROOT / "docs" / "shell.md", r"\.plot ") if text.endswith(".svg")]
    assert main(["zoo.db", "-c", plot]) == 0
    assert (folder / plot.split()[-1]).exists()


def test_the_examples_of_the_commands_help_run_as_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    _, _, written = capsys.readouterr().out.partition("examples:\n")
    command = folder / "bin" / "modelstore"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m modelstore "$@"\n')
    command.chmod(0o755)
    (folder / "load.sql").write_text(
        "CREATE OR REPLACE DATASET reviews FROM 'reviews.parquet' WITH (text = 'review', label = 'stars')"
    )
    assert main(["zoo.db", "-c", "CREATE MODEL bert FROM 'models/bert-tiny'"]) == 0
    rows = "SELECT review AS text, stars AS label FROM 'reviews.parquet'"
    assert main(["-c", f"COPY ({rows}) TO 'a.csv'"]) == 0
    lines = [re.split(" {2,}", line.strip())[0] for line in written.splitlines() if line.strip()]
    for line in sorted(lines, key=lambda line: "load.sql" not in line):  # what loads comes first
        shown = run(folder, "sh", "-c", f'PATH="$PWD/bin:$PATH"; exec </dev/null; {line}')
        assert shown or "-c" not in line
    assert len(lines) >= 5
