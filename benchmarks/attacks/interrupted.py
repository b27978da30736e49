"""Kills, and power cuts: the process ends, or the file is what it was at a moment, in the midst of a statement."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attacks import script
from attacks.trial import Attack, Trial

PATIENCE = 120  # seconds that a script may take


def undisturbed(original: Path, folder: Path) -> tuple[list[script.State], list[float]]:
    """The states after each statement, the first before all, and the seconds of each statement."""
    states, seconds = [script.state(original)], []
    for last in range(len(script.STATEMENTS)):
        store = script.copied(original, folder / "undisturbed") if not last else folder / "undisturbed/zoo.db"
        began = time.perf_counter()
        _run_one(store, folder, last)
        seconds.append(time.perf_counter() - began)
        states.append(script.state(store))
    return states, seconds


def _run_one(store: Path, folder: Path, number: int) -> None:
    process = script.start(store, folder, range(number, number + 1))
    process.join()
    if script.ended(store) <= number:
        raise RuntimeError(f"statement {number} fails undisturbed: {errors(store)}")


def errors(store: Path) -> str:
    """The last line that the process wrote to its standard error."""
    file = store.with_name("errors")
    return file.read_text().strip().rpartition("\n")[2] if file.exists() else ""


def wait(until: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def _attack(cut: bool) -> Callable[[Path], Callable[[int], Trial]]:
    def prepare(folder: Path) -> Callable[[int], Trial]:
        original = script.build(folder)
        states, seconds = undisturbed(original, folder)

        def trial(number: int) -> Trial:
            chance = random.Random(f"{cut} {number}")
            store = script.copied(original, folder / f"trial-{number}")
            hit = chance.randrange(len(script.STATEMENTS))
            process = script.start(store, folder, at_once=2 if number % 4 == 3 else 1)
            wait(lambda: f"begin {hit}" in script.progress(store) or not process.is_alive())
            time.sleep(chance.uniform(0, seconds[hit]))
            if cut and process.pid:
                store = _as_at_a_power_cut(process.pid, store, folder / f"cut-{number}")
            process.kill()
            process.join()
            return outcome(store, folder, states)

        return trial

    return prepare


def _as_at_a_power_cut(process: int, store: Path, folder: Path) -> Path:
    """A copy of the store's folder in the state that it has while the process stands still."""
    with suppress(ProcessLookupError):  # it has ended
        os.kill(process, signal.SIGSTOP)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(store.parent, folder)
    return folder / store.name


def outcome(store: Path, folder: Path, states: list[script.State]) -> Trial:
    """Whether nothing that was committed is missing, and the rest of the script ends as undisturbed."""
    done = script.ended(store)
    try:
        found = script.state(store)
    except Exception as error:
        return Trial(f"after {done} statements the store does not open: {error}")
    following = states[min(done + 1, len(states) - 1)]
    for table, rows in found.items():
        if lost := (states[done][table] & following[table]) - rows:
            return Trial(f"after {done} statements {len(lost)} rows of {table} are lost: {sorted(lost)[:2]}")
    process = script.start(store, folder, script.ALL[done:])
    if not wait(lambda: not process.is_alive()):
        process.kill()
        return Trial(f"after {done} statements the rest does not end")
    if script.ended(store) < len(script.STATEMENTS):
        return Trial(f"after {done} statements the rest fails: {errors(store) or process.exitcode}")
    ended = script.state(store)
    for table, rows in ended.items():
        # A recall that finds scores on record may need fewer others.
        if differing := rows ^ states[-1][table] if table != "proxies" else rows - states[-1][table]:
            return Trial(f"after {done} statements the end differs in {table}: {sorted(differing)[:4]}")
    twice = sum(times - 1 for times in Counter(script.trained(store)).values())
    left = sum(1 for path in store.parent.rglob("*") if ".partial" in path.name)
    shutil.rmtree(store.parent)
    return Trial(None, {"stages trained twice": twice, "partial folders left": left})


KILLS = Attack("kill -9 at a random moment of a statement that writes", 1000, _attack(cut=False))
POWER_CUTS = Attack("file, log and checkpoints as at a random moment", 1000, _attack(cut=True))
