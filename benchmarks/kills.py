"""Kill -9 at random moments of a benchmark and of a selection: does each go on to the end of an undisturbed run?

    python benchmarks/kills.py [--moments 20] [--statements benchmark,selection] [--at-once 1]

A moment is a number of stages of models that have been trained, and a part of the seconds that one takes. For each, a
fresh store runs the statement in a process of its own, which is killed, and then again in another, to its end. What
was on record at the kill has to be there unchanged after, and is not done again: pairs of a benchmark, stages of a
selection. Both processes write down each stage of each model that they or their helpers have trained. Twice may come
only a stage of a pair (of as many as train at once), or the selection's stage, that was under way. The pairs are kept
after each stage, however short it is here. Exits with 1 where an outcome differs.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import modelstore
from modelstore.execution.client import RemoteRun
from modelstore.execution.pool import worker_pool
from modelstore.libraries import quiet
from modelstore.planner.benchmark import checkpoint
from modelstore.records import CurvePoint
from modelstore.shell.main import main as main_of_shell
from modelstore.training.finetune import FineTuning

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

MODELS = ("bert", "bert_classifier", "distilbert", "albert")
OPTIONS = "recipe = 'tiny', epochs = 4, learning_rate = 2e-3, batch_size = 8, max_length = 32, device = 'cpu'"
STATEMENTS = {
    "benchmark": f"BENCHMARK MODELS ON texts, others WITH ({OPTIONS})",
    "selection": f"SELECT BEST MODEL FOR texts USING fine_selection WITH ({OPTIONS})",
}
# What is on record, times of day and of work left out, and the decision.
DONE = {
    "benchmark": "SELECT model, dataset, score FROM benchmark_results ORDER BY ALL",
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
            tiny_models.create_text_dataset(store, name, 400, seed)
        store.execute(f"BENCHMARK MODELS ON earlier WITH ({OPTIONS})")
    return folder / "zoo.db"


def start(store: Path, sql: str, at_once: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--at-once", str(at_once), "--shell", str(store), sql]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def shell(store: str, sql: str) -> None:
    """modelstore's shell, with a line in a file beside the store for each stage of a model that it has trained."""

    def written_down(advance: Any) -> Any:
        def advance_and_write(run: Any, *arguments: Any, **options: Any) -> CurvePoint:
            point: CurvePoint = advance(run, *arguments, **options)
            with Path(store).with_name("trained").open("a") as file:
                file.write(f"{run.data.name} {run.model} {point.stage}\n")
            return point

        return advance_and_write

    with (
        mock.patch.object(FineTuning, "advance", written_down(FineTuning.advance)),
        mock.patch.object(RemoteRun, "advance", written_down(RemoteRun.advance)),
        mock.patch.multiple(checkpoint, LEAST_SECONDS=0.0, TIMES_WRITING=0.0),
    ):
        main_of_shell([store, "-c", sql])


def trained(store: Path) -> list[str]:
    """The lines that `shell` wrote down."""
    file = store.with_name("trained")
    return file.read_text().splitlines() if file.exists() else []


def trained_twice(store: Path) -> list[tuple[str, str, int]]:
    """(dataset, model, stage)."""
    lines = Counter(trained(store))
    rows = [line.split() for line, times in lines.items() for _ in range(times - 1)]
    return [(dataset, model, int(stage)) for dataset, model, stage in rows]


def were_under_way(
    kind: str, twice: list[tuple[str, str, int]], before: list[tuple[Any, ...]], at_once: int
) -> bool:
    """Whether what was trained twice is a stage each of as many pairs, or of a selection, that was not on record."""
    if kind == "benchmark":
        done = {(dataset, model) for model, dataset, _ in before}
        under_way = [(dataset, model) for dataset, model, _ in twice]
        once = len(under_way) == len({*under_way}) <= at_once
    else:
        done = {stage for stage, *_ in before}
        under_way = [stage for _, _, stage in twice]
        once = len({*under_way}) <= 1 and len({*twice}) == len(twice)
    return once and not done & {*under_way}


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
    parser.add_argument("--statements", default=",".join(STATEMENTS))
    parser.add_argument("--at-once", type=int, default=1, help="models that train at the same time")
    parser.add_argument("--shell", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    at_once = arguments.at_once
    if arguments.shell:
        torch.set_num_threads(at_once)  # one each
        with worker_pool(["cpu"] * at_once) as workers:
            while not all(
                worker.ready for worker in workers
            ):  # or it would be killed before they come to train
                time.sleep(0.01)
        return shell(*arguments.shell)
    moments, chance, differ = arguments.moments, random.Random(0), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = build(folder)
        print(
            "| statement | killed after | on record then | of | trained twice | the same end |\n"
            "| --- | --- | --- | --- | --- | --- |"
        )
        for kind in arguments.statements.split(","):
            sql = STATEMENTS[kind]
            straight = copy(original, folder / kind)
            start(straight, sql, at_once).wait()
            stages = len(trained(straight))
            [(seconds,)] = read(straight, "SELECT avg(seconds) FROM training_curves")
            expected = read(straight, DONE[kind]), read(straight, DECISION[kind])
            for moment in range(moments):
                store = copy(original, folder / f"{kind}-{moment}")
                running = start(store, sql, at_once)
                after = chance.uniform(0, stages)
                while running.poll() is None and len(trained(store)) < int(after):
                    time.sleep(seconds / 20)
                time.sleep(after % 1 * seconds)
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
                start(store, again, at_once).wait()
                done = read(store, DONE[kind])
                same = (done, read(store, DECISION[kind])) == expected and {*before} <= {*done}
                twice = trained_twice(store)
                same = same and were_under_way(kind, twice, before, at_once)
                differ += not same
                shutil.rmtree(store.parent)
                print(
                    f"| {kind} | {after:.1f} of {stages} stages | {len(before)} | {len(done)} "
                    f"| {len(twice)} | {'yes' if same else 'NO'} |",
                    flush=True,
                )
    if differ:
        raise SystemExit(f"{differ} of the moments ended otherwise than an undisturbed run")


if __name__ == "__main__":
    main()
