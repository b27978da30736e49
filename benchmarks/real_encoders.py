"""What the default chooses among six pretrained text encoders, beside training each of them at fixed rates.

    python benchmarks/real_encoders.py run --models DIR --data DIR --out FOLDER [--workers 4] [--seconds 600]
    python benchmarks/real_encoders.py report FOLDER|benchmarks/data/real_encoders
    python benchmarks/real_encoders.py rules FOLDER|benchmarks/data/real_encoders

DIR of --models has a folder for each of `ENCODERS` in the Hugging Face layout; DIR of --data has the public files of
the four tasks. There are 300 training rows of 64 tokens, batches of 16 and 3 epochs, three seeds (each with other
rows too), and nothing on record. `run` writes selections.jsonl, one line for each `SELECT BEST`, and runs.csv, the
points of every model at each of seven rates; what is there is skipped. `report` compares; `rules` tries other rules
of screening on the recorded points.
"""

import argparse
import csv
import json
import math
import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from learning_rates import RATES, TASKS, Job, Point, dataset, groups, read, train

import modelstore
from modelstore.training.learning_rates import rates_to_try

ENCODERS = {  # name: width, layers
    "all-mpnet-base-v2": (768, 12),
    "quire-distilbert-cased-tagger": (768, 6),
    "multilingual-e5-small-q4": (384, 12),
    "e5-small-enpt-q4": (384, 12),
    "all-minilm-l6-v2": (384, 6),
    "paraphrase-minilm-l3": (384, 3),
}
SEEDS = (0, 1, 2)
FIRST_STAGE = 0.5  # epochs: that of the store on 300 rows is of ten batches
SEVEN = RATES[:7]
OPTIONS = "epochs = 3, batch_size = 16, max_length = 64, register = false"


def select(models: Path, data: Path, task: str, seed: int) -> dict[str, Any]:
    """A `SELECT BEST` by default, on an empty store, as a line of selections.jsonl."""
    rows = dataset(data, Job("", task, 0, seed=seed))
    splits = [
        split.append_column("split", pa.array([name] * split.num_rows))
        for name, split in (("train", rows.train), ("validation", rows.validation), ("test", rows.test))
    ]
    target = pa.concat_tables(splits)  # noqa: F841 - read by the statement
    with tempfile.TemporaryDirectory() as folder, modelstore.connect(Path(folder, "zoo.db")) as store:
        for name in ENCODERS:
            store.execute(f"CREATE MODEL '{name}' FROM '{models / name}'")
        store.execute("CREATE DATASET target AS SELECT text, label::VARCHAR AS label, split FROM target")
        began = time.perf_counter()
        best = store.execute(f"SELECT BEST MODEL FOR target WITH ({OPTIONS}, seed = {seed})").fetchone()
        seconds = time.perf_counter() - began
        assert best is not None
        (epochs,) = store.execute("SELECT epochs FROM selections").fetchone() or (math.nan,)
        stages = store.execute(
            "SELECT model, stage, validation, action, learning_rate FROM selection_stages ORDER BY ALL"
        ).fetchall()
    found = {"task": task, "seed": seed, "model": best[1], "validation": best[3], "test": best[4]}
    return found | {"epochs": epochs, "seconds": seconds, "stages": stages}


def work(given: tuple[Path, Path, str | Job, int]) -> tuple[str, Any]:
    """A selection, or a run with its points; the error where it fails."""
    models, data, what, seed = given
    try:
        if isinstance(what, str):
            return "selection", select(models, data, what, seed)
        return "run", list(train(models, data, what, "auto"))
    except Exception as error:
        return "failed", f"{what}: {type(error).__name__}: {error}"


def jobs(models: Path) -> list[Job]:
    """The runs of the models that are there, those of slow models first."""
    there = [name for name in ENCODERS if (models / name).is_dir()]
    return [Job(*one, seed=seed) for one in product(there, TASKS, SEVEN) for seed in SEEDS]


def run(models: Path, data: Path, out: Path, workers: int, seconds: float) -> None:
    out.mkdir(exist_ok=True, parents=True)
    selections, runs = out / "selections.jsonl", out / "runs.csv"
    done: set[Any] = {(one["task"], one["seed"]) for one in lines(selections)}
    names = [field.name for field in fields(Point)]
    if runs.exists():
        done |= {job for job, _ in groups(read(runs))}
    else:
        runs.write_text(",".join(names) + "\n")
    wanted: list[Any] = [(task, seed) for seed in SEEDS for task in TASKS if (task, seed) not in done]
    todo = [(models, data, *one) for one in wanted]
    todo += [(models, data, job, job.seed) for job in jobs(models) if job not in done]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for kind, found in pool.imap_unordered(work, todo):
            if kind == "selection":
                with selections.open("a") as file:
                    file.write(json.dumps(found) + "\n")
            elif kind == "run":
                with runs.open("a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows(
                        [[getattr(one, name) for name in names] for one in found]
                    )
            else:
                print(found, flush=True)
            if time.monotonic() - began > seconds:
                print("not enough time")
                pool.terminate()
                return


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


Runs = dict[tuple[str, int], dict[tuple[str, float], list[Point]]]


def recorded(folder: Path) -> Runs:
    """The points of every run, by task and seed, and by model and rate; a run that diverged is left out."""
    path = next(path for path in (folder / "runs.csv", folder / "runs.parquet") if path.exists())
    found: Runs = defaultdict(dict)
    for job, points in groups(read(path)):
        if points[-1].epoch == job.epochs:
            found[job.task, job.seed][job.model, job.rate] = points
    return found


def best_point(points: list[Point]) -> Point:
    """Where a run is kept: its best validation among the ends of epochs."""
    return max((one for one in points if one.epoch >= 1), key=lambda one: (one.validation, -one.epoch))


def in_order(point: Point) -> tuple[float, float]:
    """What is better on validation comes later: by score, then by loss."""
    return point.validation, -point.validation_loss


def brute_force(runs: dict[tuple[str, float], list[Point]], rates: tuple[float, ...]) -> tuple[float, float]:
    """The test score of the best on validation, and the epochs."""
    among = [best_point(points) for (_, rate), points in runs.items() if rate in rates]
    return max(among, key=in_order).test, 3.0 * len(among)


def error_of(differences: list[float]) -> str:
    mean, error = np.mean(differences), np.std(differences, ddof=1) / math.sqrt(len(differences))
    return f"{mean:+.3f} ± {error:.3f}"


def report(folder: Path) -> None:
    """Scores on the test rows and epochs, and paired differences from the default."""
    runs = recorded(folder)
    default = {(one["task"], one["seed"]): one for one in lines(folder / "selections.jsonl")}
    both = sorted(set(runs) & set(default))
    print(f"{len(both)} targets, {sum(map(len, runs.values()))} runs\n")
    print("| | test score | epochs | the default, paired |\n| --- | --: | --: | --: |")
    ours = [default[key]["test"] for key in both]
    print(
        f"| the default | {np.mean(ours):.3f} | {np.mean([default[key]['epochs'] for key in both]):.1f} | |"
    )
    for name, rates in (("3e-5", (3e-5,)), ("5e-5", (5e-5,)), ("the best of seven rates", SEVEN)):
        scores, epochs = zip(*(brute_force(runs[key], rates) for key in both), strict=True)
        paired = error_of([our - score for our, score in zip(ours, scores, strict=True)])
        print(f"| every model at {name} | {np.mean(scores):.3f} | {np.mean(epochs):.1f} | {paired} |")
    for key in both:
        one = default[key]
        ceiling = brute_force(runs[key], SEVEN)[0]
        print(f"\n{key[0]}, seed {key[1]}: {one['model']} {one['test']:.3f}, ceiling {ceiling:.3f}", end="")
    print()


# ----------------------------------------------------------------------------------------------------
# Other rules of screening, on the recorded points


def tried(model: str) -> list[float]:
    """The rates among the recorded ones that are nearest to those the store tries."""
    width, layers = ENCODERS[model]
    return sorted(
        {
            min(SEVEN, key=lambda one: abs(math.log(one / rate)))
            for rate in rates_to_try(width, layers, 57, "full")
        }
    )


def at_end(points: list[Point], epoch: float) -> Point:
    return next(one for one in points if one.epoch == epoch)


def race(
    runs: dict[tuple[str, float], list[Point]],
    signal: Callable[[Point], float],
    plan: list[tuple[float, int]],
) -> tuple[float, float]:
    """The winner's test score and the epochs of a race that keeps so many models after each of some epochs."""
    at: dict[str, list[Point]] = {}
    epochs = 0.0
    for model in {model for model, _ in runs}:
        found = [runs[model, rate] for rate in tried(model) if (model, rate) in runs]
        at[model] = min(found, key=lambda points: at_end(points, FIRST_STAGE).validation_loss)
        epochs += FIRST_STAGE * (len(found) - 1)
    before = 0.0
    for end, keep in plan:
        epochs += (end - before) * len(at)
        before = end
        best = sorted(at, key=lambda model: -signal(at_end(at[model], end)))[:keep]
        at = {model: at[model] for model in best}
    epochs += (3 - before) * len(at)
    return max((best_point(points) for points in at.values()), key=in_order).test, epochs


RULES = {
    "two after 0.5": [(0.5, 2)],
    "three after 0.5": [(0.5, 3)],
    "two after 1": [(1.0, 2)],
    "three after 0.5, two after 1": [(0.5, 3), (1.0, 2)],
    "four after 0.5, two after 1": [(0.5, 4), (1.0, 2)],
    "three after 1": [(1.0, 3)],
    "three after 1, two after 2": [(1.0, 3), (2.0, 2)],
    "none dropped": [],
}
SIGNALS: dict[str, Callable[[Point], float]] = {
    "score": lambda one: one.validation,
    "loss": lambda one: -one.validation_loss,
}


def rules(folder: Path) -> None:
    """Every rule by every signal: test score, epochs, and the difference from the first."""
    runs = recorded(folder)
    first: list[float] = []
    print("| rule | by | test score | epochs | against the first |\n| --- | --- | --: | --: | --: |")
    for (name, plan), (by, signal) in product(RULES.items(), SIGNALS.items()):
        scores, epochs = zip(*(race(one, signal, plan) for one in runs.values()), strict=True)
        first = first or list(scores)
        paired = error_of([score - other for score, other in zip(scores, first, strict=True)])
        print(f"| {name} | {by} | {np.mean(scores):.3f} | {np.mean(epochs):.1f} | {paired} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    running = commands.add_parser("run")
    for name in ("models", "data", "out"):
        running.add_argument(f"--{name}", type=Path, required=True)
    running.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    running.add_argument("--seconds", type=float, default=math.inf)
    for name in ("report", "rules"):
        commands.add_parser(name).add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "run":
        run(given.models, given.data, given.out, given.workers, given.seconds)
    else:
        {"report": report, "rules": rules}[given.command](given.folder)


if __name__ == "__main__":
    main()
