"""Kill -9 at random moments of a benchmark and of a selection: does each go on to the end of an undisturbed run?

    python tests/benchmarks/kills.py [--moments 20]

For each moment a fresh store runs the statement in a process of its own, which is killed, and then again in
another, to its end. What was on record at the kill has to be there unchanged after, and is not done again: pairs
of a benchmark, stages of a selection. Exits with 1 where an outcome differs.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import modelstore
from modelstore.engine.libraries import quiet

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_models

MODELS = ("bert", "bert_classifier", "distilbert", "albert")
OPTIONS = "recipe = 'tiny', epochs = 4, learning_rate = 2e-3, batch_size = 8, max_length = 32, device = 'cpu'"
STATEMENTS = {
    "benchmark": f"BENCHMARK MODELS ON texts, others WITH ({OPTIONS})",
    "selection": f"SELECT BEST MODEL FOR texts USING fine_selection WITH ({OPTIONS})",
}
# What is on record, times of day and of work left out: in the order in which it was done, and the decision.
DONE = {
    "benchmark": "SELECT model, dataset, score FROM benchmark_results ORDER BY rowid",
    "selection": "SELECT stage, model, validation, action FROM selection_stages ORDER BY rowid",
}
DECISION = {
    "benchmark": "SELECT model, dataset, stage, validation, test FROM training_curves ORDER BY ALL",
    "selection": "SELECT model, status FROM selections ORDER BY id DESC LIMIT 1",
}


def build(folder: Path) -> Path:
    """A store with four tiny models and two datasets, and what the selection reads of earlier benchmarks."""
    with modelstore.connect(folder / "zoo.db") as store:
        for kind in MODELS:
            with quiet():
                torch.manual_seed(0)
                for part in tiny_models._text_model(kind):
                    part.save_pretrained(folder / kind)
            store.execute(f"CREATE MODEL {kind} FROM '{folder / kind}'")
        for seed, name in enumerate(("texts", "others", "earlier")):
            rows = tiny_models.text_rows(400, np.random.default_rng(seed))
            store.register("rows", rows)
            store.execute(f"CREATE DATASET {name} AS SELECT * FROM rows")
            store.unregister("rows")
        store.execute(f"BENCHMARK MODELS ON earlier WITH ({OPTIONS})")
    return folder / "zoo.db"


def start(store: Path, sql: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "modelstore.shell", str(store), "-c", sql]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def read(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with modelstore.connect(store) as connection:
        return connection.execute(sql).fetchall()


def copy(store: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(store, folder / "zoo.db"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=20)
    moments, chance, differ = parser.parse_args().moments, random.Random(0), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = build(folder)
        print(
            "| statement | killed after | on record then | of | the same end |\n| --- | --- | --- | --- | --- |"
        )
        for kind, sql in STATEMENTS.items():
            straight = copy(original, folder / kind)
            began = time.perf_counter()
            start(straight, sql).wait()
            seconds = time.perf_counter() - began
            expected = read(straight, DONE[kind]), read(straight, DECISION[kind])
            for moment in range(moments):
                store = copy(original, folder / f"{kind}-{moment}")
                running = start(store, sql)
                after = chance.uniform(0, seconds)
                time.sleep(after)
                running.kill()
                running.wait()
                before = read(store, DONE[kind])
                again = sql
                if kind == "selection" and (
                    ids := read(store, "SELECT id FROM selections WHERE status <> 'done'")
                ):
                    again = f"RESUME SELECTION {ids[0][0]}"
                elif kind == "selection" and before:
                    again = "SELECT 'done before it was killed'"
                start(store, again).wait()
                done = read(store, DONE[kind])
                same = (done, read(store, DECISION[kind])) == expected and done[: len(before)] == before
                differ += not same
                shutil.rmtree(store.parent)
                print(
                    f"| {kind} | {after:.1f} of {seconds:.1f} s | {len(before)} | {len(done)} "
                    f"| {'yes' if same else 'NO'} |",
                    flush=True,
                )
    if differ:
        raise SystemExit(f"{differ} of {2 * moments} ended otherwise than an undisturbed run")


if __name__ == "__main__":
    main()
