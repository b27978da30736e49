"""How fast the shell is: from its start to the prompt, completion in a large store, ten million rows to CSV.

    python benchmarks/shell.py [rows]

The limits it is held to are printed beside the figures: 2.2 times a bare DuckDB process to the first answer, 0.5 s to
the prompt, 50 ms a keystroke at 100,000 models, 1.2 times what DuckDB's own COPY takes, with memory that does not
grow with the rows.
"""

import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

import modelstore
from modelstore.shell.app import Shell
from modelstore.shell.completion.completer import ModelStoreCompleter
from modelstore.shell.completion.names import Names

MODELS = 100_000
ROWS = 10_000_000
QUERY = "SELECT range AS id, range * 0.5 AS score, 'model-' || (range % 1000) AS name FROM range({rows})"
TYPED = (
    "SELECT BEST MODEL FOR dataset-99",
    "DROP MODEL model-99",
    "SELECT BEST MODEL FOR d WHERE name = 'model-1234",
    "SELECT BEST MODEL FOR d WITH (executor = 'replay', rec",
    "SELECT m.name, m.param FROM models m WHERE architecture ILIKE 'bert%' AND parameters < 200e6",
    "CREATE TABLE t AS SELECT array_agg(score) FROM benchmark_results GROUP BY mod",
    ".curve model-123",
)


def to_prompt(path: Path) -> float:
    """Seconds until the prompt of a shell in a terminal is there."""
    began = time.perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(
            sys.executable,
            [sys.executable, "-m", "modelstore", str(path)],
            os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
    seen = b""
    while b"modelstore>" not in seen:
        seen += os.read(terminal, 4096)
    seconds = time.perf_counter() - began
    os.write(terminal, b"\x04")
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # the terminal is closed
        pass
    os.waitpid(process, 0)
    os.close(terminal)
    return seconds


def to_answer(rounds: int = 15) -> tuple[float, float]:
    """Median CPU seconds of `modelstore -c 'SELECT 1'`, and of a process that asks DuckDB alone; they take turns."""
    bare = [sys.executable, "-c", "import duckdb; duckdb.sql('SELECT 1').fetchall()"]
    shell = [sys.executable, "-m", "modelstore", "-c", "SELECT 1"]
    taken = [(_cpu(shell), _cpu(bare)) for _ in range(rounds)]
    return median(mine for mine, _ in taken), median(plain for _, plain in taken)


def _cpu(command: Sequence[str]) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime


def keystrokes(store: modelstore.Connection) -> list[float]:
    """Seconds that each keystroke's completion takes."""
    names = Names(store)
    names.warm()
    completer = ModelStoreCompleter(names)
    taken = []
    for text in TYPED:
        names.forget()
        for end in range(1, len(text) + 1):
            began = time.perf_counter()
            list(completer.get_completions(Document(text[:end]), CompleteEvent(text_inserted=True)))
            taken.append(time.perf_counter() - began)
    return taken


def measured(command: Sequence[str], out: Path) -> tuple[float, float]:
    """(seconds, peak MB) of a command whose standard output is a file."""
    with out.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def streaming(rows: int, folder: Path) -> None:
    """The same rows without what the processes take to start."""
    query = QUERY.format(rows=rows)
    taken: dict[str, list[float]] = {"shell": [], "copy": []}
    with modelstore.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for _ in range(3):
            with (folder / "ours.csv").open("wb") as file:
                began = time.perf_counter()
                Shell(connection, ":memory:", form="csv", out=file).run(query)
                taken["shell"].append(time.perf_counter() - began)
            began = time.perf_counter()
            connection.execute(f"COPY ({query}) TO '{folder}/copy.csv' (HEADER)")
            taken["copy"].append(time.perf_counter() - began)
    shell, copy = min(taken["shell"]), min(taken["copy"])
    print(f"{rows:>12,} rows, once started: {shell:.2f} s; COPY {copy:.2f} s; ratio {shell / copy:.2f}")


def csv(rows: int, folder: Path) -> None:
    query = QUERY.format(rows=rows)
    ours = [sys.executable, "-m", "modelstore", "--format", "csv", "-c", query]
    copy = f"import duckdb; duckdb.connect().execute('''COPY ({query}) TO '{folder}/copy.csv' (HEADER)''')"
    runs = [
        (measured(ours, folder / "ours.csv"), measured([sys.executable, "-c", copy], folder / "none"))
        for _ in range(3)
    ]
    shell, plain = min(run[0] for run in runs), min(run[1] for run in runs)
    same = (folder / "ours.csv").read_bytes() == (folder / "copy.csv").read_bytes()
    print(
        f"{rows:>12,} rows: {shell[0]:.2f} s, {shell[1]:.0f} MB; COPY {plain[0]:.2f} s, {plain[1]:.0f} MB; "
        f"ratio {shell[0] / plain[0]:.2f}; the same bytes: {same}"
    )


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = name
        with modelstore.connect(folder / "zoo.db") as store:
            store.execute(
                f"INSERT INTO models (name, architecture, parameters) SELECT 'model-' || range, 'bert', range "
                f"FROM range({MODELS}); INSERT INTO datasets (name, task) SELECT 'dataset-' || range, 'text' "
                "FROM range(10000); INSERT INTO training_curves (model, dataset, stage, validation) "
                f"SELECT 'model-' || range, 'dataset-1', 1, 0.5 FROM range({MODELS})"
            )
            taken = keystrokes(store)
        print(
            f"completion among {MODELS:,} models: {1000 * median(taken):.1f} ms a keystroke (median), "
            f"{1000 * max(taken):.1f} ms the slowest; limit 50"
        )
        shell, bare = to_answer()
        print(f"first answer: {shell:.3f} s of CPU, DuckDB {bare:.3f}; ratio {shell / bare:.2f}; limit 2.2")
        starts = [to_prompt(folder / "zoo.db") for _ in range(7)]
        print(
            f"start to prompt: {median(starts):.2f} s (median of 7; {min(starts):.2f} the fastest); limit 0.5"
        )
        print("CSV, limit 1.2, best of three:")
        for size in (rows // 10, rows):
            csv(size, folder)
        streaming(rows, folder)


if __name__ == "__main__":
    main()
