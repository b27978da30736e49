"""Runs work in a process that says where it is, and ends it where it stands still."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

START = 60  # seconds that a process may take to begin
TRIES = 3
Say = Callable[[str], None]
Work = Callable[[str, Say], None]
IMPORTED = ["torch", "transformers", "sklearn.cluster", "hypothesis", "modelstore.training.finetune"]


def processes() -> ForkServerContext:
    """Processes that are forked from one that has imported the libraries, and has no threads."""
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def watched(
    begin: Callable[[], Work], items: Sequence[str], seconds: Callable[[str], float]
) -> list[tuple[str, str]]:
    """What went wrong: (item, a sentence), for items done one after another in a process of their own.

    Parameters
    ----------
    begin
        Called in the process, which takes its time once; returns what is done with an item. What that says is a
        problem, and so is an exception that leaves it.
    items
        The items. After one that crashed or stood still, a new process goes on with the next.
    seconds
        How long each item may take. One that takes longer is tried three times: the machine may have been busy.
    """
    problems: list[tuple[str, str]] = []
    tries: Counter[int] = Counter()
    first = 0
    while first < len(items):
        process, receiver = _fork(begin, items[first:])
        receiver.poll(START)
        at, again, ended = first, False, False
        limit = seconds(items[at])
        while not ended:
            if not receiver.poll(limit):
                tries[at] += 1
                again = tries[at] < TRIES
                if not again:
                    problems.append((items[at], f"takes more than {limit:g} s"))
                break
            try:
                kind, value = receiver.recv()
            except EOFError:
                process.join()
                problems.append((items[at], f"ends the process: {_named(process.exitcode)}"))
                break
            if kind == "begin":
                at = first + value
                limit = seconds(items[at])
            elif kind == "problem":
                problems.append((items[at], value))
            else:
                ended = True
        process.kill()
        process.join()
        first = at if again else at + 1
    return problems


def _fork(begin: Callable[[], Work], items: Sequence[str]) -> tuple[BaseProcess, Connection]:
    receiver, sender = processes().Pipe(duplex=False)
    process = processes().Process(target=_run, args=(begin, items, sender))
    process.start()
    sender.close()
    return process, receiver


def _run(begin: Callable[[], Work], items: Sequence[str], sender: Connection) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    work = begin()
    for number, item in enumerate(items):
        sender.send(("begin", number))
        try:
            work(item, lambda sentence: sender.send(("problem", sentence)))
        except BaseException as error:
            sender.send(("problem", f"{type(error).__name__} leaves it: {str(error)[:200]}"))
    sender.send(("end", None))


def _named(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"code {code}"
