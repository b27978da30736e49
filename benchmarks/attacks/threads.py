"""Eight threads on cursors of one connection that train, select, insert, interrupt and close."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import torch

import modelstore
from attacks import script
from attacks.trial import Attack, Trial

THREADS, SECONDS, PATIENCE = 8, 60, 120
SELECT = f"SELECT BEST MODEL FOR texts USING fine_selection WITH ({script.OPTIONS}, register = false, reuse = false)"
BENCHMARK = f"BENCHMARK MODELS ON texts WITH ({script.OPTIONS})"


def _prepare(folder: Path) -> Callable[[int], Trial]:
    original = script.build(folder)
    torch.set_num_threads(1)
    with modelstore.connect(script.copied(original, folder / "alone")) as store:
        alone = store.execute(SELECT).fetchone()

    def trial(number: int) -> Trial:
        store = script.copied(original, folder / f"trial-{number}")
        with modelstore.connect(store) as connection:
            connection.execute("CREATE TABLE notes (thread INT, number INT)")
            users = [_User(connection, random.Random(f"{number} {one}"), one) for one in range(THREADS)]
            threads = [threading.Thread(target=user.run, daemon=True) for user in users]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(SECONDS + PATIENCE)
            if any(thread.is_alive() for thread in threads):
                return Trial("a thread does not end")
        problems = [problem for user in users for problem in user.problems]
        winners = [winner for user in users for winner in user.winners]
        problems += [f"{winner} won, alone {alone[1:4]}" for winner in winners if winner != alone[1:4]]
        with modelstore.connect(store) as connection:
            there = set(connection.execute("FROM notes").fetchall())
            twice = connection.execute(
                "SELECT model, dataset FROM training_curves GROUP BY ALL HAVING count(*) > max(stage)"
            ).fetchall()
        committed = {(user.number, note) for user in users for note in user.committed}
        problems += [f"{len(committed - there)} committed rows are lost"] if committed - there else []
        problems += [f"recorded twice: {twice}"] if twice else []
        return Trial("; ".join(problems[:3]) or None, {"selections": len(winners), "inserts": len(committed)})

    return trial


class _User:
    """A thread's work: what it committed, who won, and what went wrong."""

    def __init__(self, connection: modelstore.Connection, chance: random.Random, number: int):
        self._connection, self._chance, self.number = connection, chance, number
        self.committed: list[int] = []
        self.winners: list[tuple[Any, ...]] = []
        self.problems: list[str] = []

    def run(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            cursor = self._connection.cursor()
            try:
                self._once(cursor)
            except duckdb.InterruptException:
                pass
            except Exception as error:
                self.problems.append(f"{type(error).__name__}: {str(error)[:200]}")
            finally:
                cursor.close()

    def _once(self, cursor: modelstore.Connection) -> None:
        match self._chance.choice(["insert", "insert", "read", "select", "benchmark", "interrupt"]):
            case "insert":
                note = len(self.committed)
                cursor.execute("INSERT INTO notes VALUES (?, ?)", [self.number, note])
                self.committed.append(note)
            case "read":
                cursor.execute("SELECT count(*) FROM performance_matrix").fetchall()
            case "select":
                row = cursor.execute(SELECT).fetchone()
                assert row is not None
                self.winners.append(row[1:4])
            case "benchmark":
                cursor.execute(BENCHMARK).fetchall()
            case "interrupt":
                timer = threading.Timer(self._chance.uniform(0, 1), cursor.interrupt)
                timer.start()
                try:
                    cursor.execute(SELECT).fetchall()
                finally:
                    timer.cancel()
                    timer.join()


THREADED = Attack("a minute of eight threads that train, select, insert, interrupt and close", 10, _prepare)
