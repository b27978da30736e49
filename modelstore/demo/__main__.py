"""`python -m modelstore.demo FOLDER`: builds small models and tasks in FOLDER, then runs demo.sql on them."""

import os
import sys
import time
from pathlib import Path

from modelstore.demo import zoo
from modelstore.shell.main import main as modelstore

SCRIPT = Path(__file__).with_name("demo.sql")


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".modelstore/demo").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    print(f"building {len(zoo.SPECS)} small models and their tasks in {folder}", file=sys.stderr, flush=True)
    zoo.build(folder)
    print(f"built in {time.perf_counter() - started:.0f} s; now {SCRIPT}", file=sys.stderr, flush=True)
    os.chdir(folder)  # the script names models and tasks by paths relative to the folder
    status = modelstore(["demo.db", "--echo", "-f", str(SCRIPT)])
    seconds = time.perf_counter() - started
    print(f"\nall in {seconds:.0f} s; look around with: modelstore {folder}/demo.db", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
