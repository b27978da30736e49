"""Kills, power cuts, Ctrl-C: in the midst of a statement the process ends, or the file is what it was at a moment."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from attacks import script
from attacks.trial import Attack, Trial

PATIENCE = 120  # seconds that a script may take
PROMPT = 2  # seconds within which an interrupted statement ends


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


# Ends a process that runs statements on a store; the store as it then is, or what was wrong.
Ending = Callable[[BaseProcess, Path], Path | Trial]


def _attack(end: Ending) -> Callable[[Path], Callable[[int], Trial]]:
    def prepare(folder: Path) -> Callable[[int], Trial]:
        original = script.build(folder)
        states, seconds = undisturbed(original, folder)

        def trial(number: int) -> Trial:
            chance = random.Random(f"{end is cut} {number}")
            store = script.copied(original, folder / f"trial-{number}")
            hit = chance.randrange(len(script.STATEMENTS))
            process = script.start(store, folder, at_once=2 if number % 4 == 3 else 1)
            wait(lambda: f"begin {hit}" in script.progress(store) or not process.is_alive())
            time.sleep(chance.uniform(0, seconds[hit]))
            left = end(process, store)
            process.kill()
            process.join()
            return left if isinstance(left, Trial) else outcome(left, folder, states)

        return trial

    return prepare


def kill(process: BaseProcess, store: Path) -> Path:
    process.kill()
    return store


def cut(process: BaseProcess, store: Path) -> Path:
    """A copy of the store's folder in the state that it has while the process stands still."""
    _signal(process, signal.SIGSTOP)
    copy = store.parent.with_name(f"cut-{store.parent.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store.parent, copy)
    return copy / store.name


def interrupt(process: BaseProcess, store: Path) -> Path | Trial:
    """The store, where the process has ended soon after Ctrl-C: its statement, and with it the script."""
    _signal(process, signal.SIGINT)
    if wait(lambda: not process.is_alive(), PROMPT):
        return store
    return Trial(f"{script.progress(store)[-1:]} goes on for {PROMPT} s after Ctrl-C")


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    """Sends a signal to a process that has started, and may have ended."""
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


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


KILLS = Attack("kill -9 at a random moment of a statement that writes", 1000, _attack(kill))
POWER_CUTS = Attack("file, log and checkpoints as at a random moment", 1000, _attack(cut))
CTRL_C = Attack("Ctrl-C at a random moment of a statement that writes", 200, _attack(interrupt))
