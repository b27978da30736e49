"""A whole two-phase selection beside the same decisions made with `Trainer` runs, one after another.

    pip install 'modelstore[bench]'
    python benchmarks/selection.py --models MODELS --data DATA [--targets suite,section_en] [--rounds 3]

MODELS is the zoo that zoo.py builds, DATA holds packages/*.parquet and images/*.parquet. `SELECT BEST MODEL` recalls
10 of the zoo's 24 text models by what is on record of the benchmark tasks (benchmarks/data), trains them for 5
epochs at most, and keeps the winner: its seconds are those of the whole statement, with reading the rows and an empty
cache. The other side is told who was recalled and how long each was trained, and does that with `Trainer` (see
trainer_side.py): each model is read, its rows prepared, and trained for as many epochs as in the selection at the
rates of a run of 5, with validation after each; of the winner the test rows are predicted, and it is saved. Recall it
need not do. The two take turns; medians are over the rounds. What either side imports is imported before, and the
helpers that train beside this process are there.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from replay import DATA, TARGETS
from tqdm import tqdm
from trainer_side import TrainerSide
from workplace import SCRIPTS, task_data, workplace

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.events import Began
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.progress import shown_by

RECALLED = 10
RECIPE = TrainingOptions(epochs=5, batch_size=16, learning_rate=1.5e-3, max_length=48)
OPTIONS = (
    f"epochs = {RECIPE.epochs}, batch_size = {RECIPE.batch_size}, learning_rate = {RECIPE.learning_rate}, "
    f"max_length = {RECIPE.max_length}"
)
RECORDS = f"""
INSERT INTO benchmark_results BY NAME
FROM '{DATA}/matrix.parquet' WHERE dataset NOT IN {TARGETS};
INSERT INTO training_curves BY NAME
FROM '{DATA}/curves.parquet' WHERE dataset NOT IN {TARGETS};
CLUSTER MODELS;
"""
SELECT = f"""
SELECT model, test, selection FROM (
    SELECT BEST MODEL FOR {{}} WITH (recall = {RECALLED}, register = false, reuse = false, {OPTIONS})
)
"""
# Trained before anything is timed, so that all that a model's class imports is there.
ONE_OF_EACH = ("albert-descriptions", "bert-role", "electra-interface", "gpt2-code", "roberta-french")
ONE_OF_EACH += ("distilbert-implemented-in",)


def taken(work: Callable[[], None]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Display:
    """Shows no progress, and notes when the training of a selection begins."""

    def bar(self, total: float, description: str, unit: str) -> Any:
        return tqdm(total=total, disable=True)

    def emit(self, event: object) -> None:
        if isinstance(event, Began):
            self.began = time.perf_counter()

    def notify(self, message: str) -> None:
        pass


class Ours:
    """The selection, by one statement in a store that has nothing of the target on record."""

    def __init__(self, store: modelstore.Connection, target: str):
        self.store, self.target = store, target

    def run(self) -> None:
        self.store.execute(f"DELETE FROM proxy_scores WHERE dataset = '{self.target}'")
        display, started = Display(), time.perf_counter()
        with shown_by(display):
            row = self.store.execute(SELECT.format(self.target)).fetchone()
        self.recall = display.began - started
        assert row is not None
        self.winner, self.test, self.selection = row

    def epochs(self) -> dict[str, int]:
        """How long each model was trained."""
        return dict(
            self.store.execute(
                "SELECT model, max(stage) FROM selection_stages WHERE selection = ? GROUP BY model ORDER BY model",
                [self.selection],
            ).fetchall()
        )


class Theirs:
    """The same runs by `Trainer`."""

    def __init__(self, data: TaskData, epochs: dict[str, int], winner: str):
        self.data, self.epochs, self.winner = data, epochs, winner

    def run(self) -> None:
        for model, epochs in self.epochs.items():
            side = TrainerSide(Path("models", model), self.data, RECIPE, Path("trainer"), stop_after=epochs)
            side.trainer.train()
            if model == self.winner:
                self.test = side.score("test")
                with quiet():
                    side.trainer.save_model("trainer/winner")


def compare(store: modelstore.Connection, target: str, rounds: int, folder: Path) -> str:
    data = task_data(store, target)
    ours, both, recalls = Ours(store, target), [], []
    for number in range(rounds):
        with mock.patch.dict("os.environ", MODELSTORE_CACHE=str(folder / f"cache-{target}-{number}")):
            seconds = taken(ours.run)
        recalls.append(ours.recall)
        theirs = Theirs(data, ours.epochs(), ours.winner)
        both.append((seconds, taken(theirs.run)))
    ours_took, theirs_took = (statistics.median(one) for one in zip(*both, strict=True))
    ratio = statistics.median(theirs_of_one / ours_of_one for ours_of_one, theirs_of_one in both)
    epochs = theirs.epochs
    return (
        f"| {target} | {len(epochs)} | {sum(epochs.values())} | {ours_took:.1f} "
        f"| {statistics.median(recalls):.1f} | {theirs_took:.1f} | {ratio:.2f} "
        f"| {ours.winner} | {ours.test:.3f} | {theirs.test:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--targets", default="suite,section_en,use")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with (
        workplace(arguments.models, arguments.data) as folder,
        modelstore.connect("selection.db") as store,
    ):
        for script in ("models", "datasets"):
            store.execute((SCRIPTS / f"{script}.sql").read_text())
        store.execute(RECORDS)
        with mock.patch.dict("os.environ", MODELSTORE_CACHE=str(folder / "cache")):
            store.execute(
                f"BENCHMARK MODELS WHERE name IN {ONE_OF_EACH} ON scope WITH (recipe = 'first', epochs = 1)"
            )
        first = TrainerSide(
            Path("models", "bert-role"), task_data(store, "scope"), RECIPE, Path("trainer"), stop_after=1
        )
        first.trainer.train()
        print(
            "| target | models | epochs | SELECT BEST, s | of it recall | Trainer, s | ratio "
            "| winner | its test score | by Trainer |\n" + "| --- " * 10 + "|",
            flush=True,
        )
        for target in arguments.targets.split(","):
            print(compare(store, target, arguments.rounds, folder), flush=True)


if __name__ == "__main__":
    main()
