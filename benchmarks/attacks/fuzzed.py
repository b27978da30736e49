"""Statements of every kind with tokens and characters changed at random."""

import os
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import duckdb

import modelstore
from attacks.trial import Attack, Trial
from attacks.watched import Say, watched

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from language.test_random_text import DUCKDB, EXTENSIONS, SIGNS, WORDS, Fresh

BATCH = 10_000


def mutated(chance: random.Random) -> str:
    """A statement, or two, with up to four changes."""
    sql = ";\n".join(chance.choices([*EXTENSIONS, *DUCKDB], k=1 + (chance.random() < 0.15)))
    between = chance.choice(["", " "])
    pieces = sql.split(" ") if between else list(sql)
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(pieces)) if pieces else 0
        change = chance.choice(["delete", "double", "swap", "replace", "insert", "cut", "case"])
        if change == "insert" or not pieces:
            pieces.insert(at, chance.choice([*WORDS, *SIGNS]))
        elif change == "delete":
            del pieces[at]
        elif change == "double":
            pieces[at:at] = [pieces[at]] * chance.choice([1, 1, 1, 200])
        elif change == "swap":
            other = chance.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif change == "replace":
            pieces[at] = chance.choice([*WORDS, *SIGNS])
        elif change == "cut":
            pieces = pieces[:at] if chance.random() < 0.5 else pieces[at:]
        else:
            pieces[at] = pieces[at].swapcase()
    return between.join(pieces)


def _seconds(script: str) -> float:
    """How long a script may take: 2 s, and 20 ms for each statement after the first."""
    return 2 + 0.02 * script.count(";")


def _fill(store: modelstore.Connection) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) SELECT m, 'd' || d, 0.5 + d / 20 "
        "FROM (VALUES ('a1'), ('a2'), ('b1'), ('c1')) t(m), range(6) u(d)"
    )
    store.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) "
        "SELECT model, dataset, s, score * s / 4, score * s / 4, 1.0 FROM benchmark_results, range(1, 5) t(s)"
    )
    store.execute("CLUSTER MODELS")


def _prepare(folder: Path) -> Callable[[int], Trial]:
    template = folder / "template.db"
    with modelstore.connect(template) as store:
        _fill(store)

    def trial(number: int) -> Trial:
        place = folder / f"batch-{number}"
        place.mkdir(exist_ok=True)
        chance = random.Random(number)
        work = partial(_Statements, place, template)
        problems = watched(work, [mutated(chance) for _ in range(BATCH)], _seconds)
        shutil.rmtree(place)
        return Trial("; ".join(f"{sql!r}: {what}" for sql, what in problems[:5]) or None)

    return trial


class _Statements:
    """Runs a statement, and says what is wrong with how it ends."""

    def __init__(self, folder: Path, template: Path):
        os.chdir(folder)
        os.environ["HF_HUB_OFFLINE"] = "1"
        self._folder = folder
        self._store = Fresh(folder, template)
        for first in (*EXTENSIONS, *DUCKDB):  # what they import takes its time once
            with suppress(duckdb.Error):
                self._store.connection.execute(first)
        self._put_back()

    def _put_back(self) -> None:
        self._store.put_back()
        self._files = self._as_on_disk()

    def _as_on_disk(self) -> list[tuple[str, int, int]]:
        """The database and its log as the system sees them: every commit that changes something writes to one."""
        entries = sorted(self._folder.glob("zoo.db*"))
        return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in entries]

    def _changed(self, resumable: bool) -> bool:
        """Whether something is stored that was not; a selection that has begun and can be resumed is on record."""
        now, first = (
            [row for row in state if not (resumable and row[1:] and row[1].startswith("selection"))]
            for state in (self._store.state(), self._store.first)
        )
        return now != first

    def __call__(self, sql: str, say: Say) -> None:
        failed = resumable = False
        try:
            self._store.connection.execute(sql)
            if self._store.connection.description is not None:
                self._store.connection.fetchall()
        except duckdb.Error as error:
            failed, resumable = True, "RESUME SELECTION" in str(error)
            if not str(error).strip():
                say("an error without a message")
        if self._as_on_disk() == self._files:  # ten times faster than to compare what is stored
            return
        # Of several statements, those before the one that failed count.
        if failed and ";" not in sql and self._changed(resumable):
            say("a statement that failed has changed the store")
        self._put_back()


FUZZ = Attack("statements changed at random", 100, _prepare, ("statements", BATCH))
