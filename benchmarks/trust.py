"""Kills, power cuts, Ctrl-C, full disks, random statements, hostile files, threads: is anything lost, hung or wrong?

    python benchmarks/trust.py [--out trust.jsonl] [--parts kills,power,ctrl_c,disk,fuzz,hostile,threads]
                               [--trials N] [--seconds S]

Each trial is a line of the file; run again, the command goes on after the last. `--trials` is how many of each part
there are to be at most, `--seconds` how long the command may take. At the end comes a table of all that is in the
file. Exits with 1 where a trial found a problem. A full disk needs the right to mount: run the command under
`unshare --mount --map-root-user`. See attacks/ for what each part does.
"""

import argparse
import importlib
import json
import logging
import math
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from attacks.trial import Attack

PARTS = {
    "kills": ("interrupted", "KILLS"),
    "power": ("interrupted", "POWER_CUTS"),
    "ctrl_c": ("interrupted", "CTRL_C"),
    "disk": ("full_disk", "FULL_DISK"),
    "fuzz": ("fuzzed", "FUZZ"),
    "hostile": ("hostile", "HOSTILE"),
    "threads": ("threads", "THREADED"),
}


def attack_of(part: str) -> Attack:
    module, name = PARTS[part]
    found: Attack = getattr(importlib.import_module(f"attacks.{module}"), name)
    return found


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def run(part: str, out: Path, trials: float, until: float) -> None:
    attack = attack_of(part)
    done = {line["trial"] for line in lines(out) if line["part"] == part}
    todo = [number for number in range(int(min(attack.trials, trials))) if number not in done]
    if not todo or time.monotonic() > until:
        return
    with tempfile.TemporaryDirectory() as folder:
        trial = attack.prepare(Path(folder))
        for number in todo:
            if time.monotonic() > until:
                return
            began = time.monotonic()
            found = trial(number)
            line = {"part": part, "trial": number, "problem": found.problem, "facts": found.facts}
            with out.open("a") as file:
                file.write(json.dumps(line | {"seconds": time.monotonic() - began}) + "\n")
            if found.problem:
                print(f"{part} {number}: {found.problem}", flush=True)


def table(out: Path) -> int:
    """Prints what each part came to; returns how many trials found a problem."""
    problems = 0
    print("| attack | tried | with a problem | beside |\n| --- | --: | --: | --- |")
    for part in PARTS:
        found = [line for line in lines(out) if line["part"] == part]
        if not found:
            continue
        attack, facts = attack_of(part), Counter[str]()
        for line in found:
            facts.update(line["facts"])
        wrong = sum(line["problem"] is not None for line in found)
        problems += wrong
        unit, each = attack.unit
        beside = ", ".join(f"{value:g} {name}" for name, value in facts.items())
        print(f"| {attack.what} | {len(found) * each:,} {unit} | {wrong} | {beside} |")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("trust.jsonl"))
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--trials", type=float, default=math.inf)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    until = time.monotonic() + given.seconds
    for part in given.parts.split(","):
        run(part, given.out, given.trials, until)
    if problems := table(given.out):
        raise SystemExit(f"{problems} trials found a problem")


if __name__ == "__main__":
    main()
