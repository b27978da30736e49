"""The validation run: a zoo of 32 small models, 15 tasks as benchmarks and 6 others as targets, by batch SQL scripts.

    python benchmarks/validation.py --data DATA --out FOLDER

DATA holds packages/*.parquet and images/*.parquet. All that is made stays in FOLDER; a stopped run goes on where
it was when it is run again. The pairs are trained by two processes of one thread each, since models as small as
these gain little from a second thread; the two stores are then merged.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = HERE / "validation"
MODELSTORE = (sys.executable, "-m", "modelstore")


def command(folder: Path, database: str, *scripts: str, form: str = "markdown") -> list[str]:
    """What runs scripts of a folder on a database."""
    files = [argument for script in scripts for argument in ("-f", str(folder / f"{script}.sql"))]
    return [*MODELSTORE, database, "--format", form, *files]


def run_together(commands: Sequence[list[str]], folder: Path, at_once: int = 2) -> None:
    """Runs so many commands at a time, one thread each; ends them all if one fails or the run is stopped."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    waiting, running = deque(commands), list[subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(subprocess.Popen(waiting.popleft(), cwd=folder, env=environment))
            time.sleep(0.1)
            if any(process.poll() for process in running):
                raise SystemExit("a part of the run failed: its message is above; run it again to go on")
            running = [process for process in running if process.returncode is None]
    finally:
        for process in running:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", action="store_true", help="keep the matrix and curves in benchmarks/data")
    arguments = parser.parse_args()
    data, out = arguments.data.resolve(), arguments.out.resolve()
    for needed in ("packages", "images"):
        if not (data / needed).is_dir():
            raise SystemExit(
                f'"{data / needed}" is not there: --data names the folder that holds packages and images'
            )
    out.mkdir(parents=True, exist_ok=True)
    link = out / "data"
    if not link.exists():
        link.symlink_to(data)

    started = time.perf_counter()
    zoo = [sys.executable, str(HERE / "zoo.py"), "--data", str(data), "--out", str(out / "models")]
    run_together([zoo], out)
    print(f"zoo: {time.perf_counter() - started:.0f} s", flush=True)
    run_together(
        [
            command(SCRIPTS, f"half_{half}.db", "models", "datasets", f"benchmark_{half}", form="csv")
            for half in (1, 2)
        ],
        out,
    )
    print(f"benchmarks: {time.perf_counter() - started:.0f} s", flush=True)
    run_together([command(SCRIPTS, "validation.db", "models", "datasets", "merge", "select")], out)
    run_together([command(SCRIPTS, "validation.db", "export", "report")], out)
    print(f"all: {time.perf_counter() - started:.0f} s", flush=True)
    if arguments.keep:
        for name in ("models", "datasets", "matrix", "curves", "proxies"):
            shutil.copy(out / f"{name}.parquet", HERE / "data" / f"{name}.parquet")


if __name__ == "__main__":
    main()
