"""Runs work in a forked process that says where it is, and ends it where it stands still."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context

Say = Callable[[str], None]


def watched(work: Callable[[str, Say], None], items: Sequence[str], seconds: float) -> list[tuple[str, str]]:
    """What went wrong: (item, a sentence), for items done one after another in forks of this process.

    Parameters
    ----------
    work
        What is done with an item; what it says is a problem. An exception that leaves it is one too.
    items
        The items. After one that crashed or stood still, a new fork goes on with the next.
    seconds
        How long an item may take.
    """
    problems: list[tuple[str, str]] = []
    at = 0
    while at < len(items):
        process, receiver = _fork(work, items[at:])
        begun = -1
        ended = False
        while not ended:
            if not receiver.poll(seconds):
                problems.append((items[at + max(begun, 0)], f"takes more than {seconds:g} s"))
                break
            try:
                kind, value = receiver.recv()
            except EOFError:
                process.join()
                problems.append((items[at + max(begun, 0)], f"ends the process: {_named(process.exitcode)}"))
                break
            if kind == "begin":
                begun = value
            elif kind == "problem":
                problems.append((items[at + begun], value))
            else:
                ended = True
        process.kill()
        process.join()
        at += begun + 1
    return problems


def _fork(work: Callable[[str, Say], None], items: Sequence[str]) -> tuple:
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        receiver.close()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        for number, item in enumerate(items):
            sender.send(("begin", number))
            try:
                work(item, lambda sentence: sender.send(("problem", sentence)))
            except BaseException as error:
                sender.send(("problem", f"{type(error).__name__} leaves it: {str(error)[:200]}"))
        sender.send(("end", None))
        time.sleep(60)  # until it is killed: nothing that it inherited is closed twice

    process = context.Process(target=run)
    process.start()
    sender.close()
    return process, receiver


def _named(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"code {code}"
