"""Which learning rate suits which encoder on a small task, and how well a first stage finds it.

    python benchmarks/learning_rates.py train --models DIR --data DIR --out runs.csv [--only NAME ...]
    python benchmarks/learning_rates.py report runs.csv [--save benchmarks/data/learning_rates.parquet]
    python benchmarks/learning_rates.py report benchmarks/data/learning_rates.parquet

DIR of --models has a folder for each of `MODELS` in the Hugging Face layout; DIR of --data has the public files that
`texts_of` reads. Each run trains on 300 rows (or as `jobs` say) of 64 tokens, in batches of 16, for 3 epochs. It is
scored on 150 validation rows after 0.25, 0.5, 1, 2 and 3 epochs, and on 300 test rows after 1, 2 and 3. `train`
appends a run's rows as it ends and skips what is there; --only restricts it to some models. `report` compares found
rates with fixed ones, and checks the rule by leaving out each model and each task.
"""

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.options import TrainingOptions
from modelstore.training import learning_rates
from modelstore.training.finetune import FineTuning

L3, L6, E5 = "paraphrase-minilm-l3", "all-minilm-l6-v2", "e5-small-enpt-q4"
DISTIL = "quire-distilbert-cased-tagger"
MODELS = {L3: (384, 3), L6: (384, 6), E5: (384, 12), DISTIL: (768, 6)}  # name: width, layers
TASKS = ("trec", "sst2", "emotion", "ag_news")
RATES = (3e-5, 5e-5, 9e-5, 1.5e-4, 2.7e-4, 4.5e-4, 8e-4, 1.4e-3)
VALIDATION_ROWS, TEST_ROWS = 150, 300
STAGES = (0.25, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Job:
    """A run; its stages end at those of `STAGES` that are before its end, and there."""

    model: str
    task: str
    rate: float
    rows: int = 300
    epochs: int = 3
    tuning: str = "full"
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """A row of the results: a run after a stage. ``test`` is NaN where it was not tested."""

    model: str
    task: str
    rate: float
    rows: int
    epochs: int
    tuning: str
    seed: int
    epoch: float
    train_loss: float
    validation: float
    validation_loss: float
    validation_75: float  # of the first 75 rows alone
    validation_loss_75: float
    test: float


def jobs() -> list[Job]:
    """The runs, those that say most first."""
    found = [Job(model, task, rate) for model in MODELS for task in TASKS for rate in RATES]
    for task in ("trec", "sst2"):
        found += [Job(L3, task, rate, rows=1500) for rate in (3e-5, 9e-5, 2.7e-4, 8e-4)]
        found += [Job(L3, task, rate, epochs=1) for rate in (9e-5, 2.7e-4, 8e-4, 2.4e-3)]
        for tuning in ("frozen", "lora", "layerwise"):
            found += [Job(L3, task, rate, tuning=tuning) for rate in (9e-5, 2.7e-4, 8e-4, 2.4e-3, 8e-3)]
    return found


def texts_of(data: Path, task: str) -> tuple[list[str], list[str]]:
    """The texts and the labels of a task's public file."""
    match task:
        case "trec":
            lines = (data / "trec/TREC.train").read_text("latin-1").splitlines()
            pairs = [line.split(" ", 1) for line in lines if line]
            return [text for _, text in pairs], [label.split(":")[0] for label, _ in pairs]
        case "sst2":
            lines = (data / "sst2/stsa.binary.train").read_text().splitlines()
            pairs = [line.split(" ", 1) for line in lines if line]
            return [text for _, text in pairs], [label for label, _ in pairs]
        case "emotion":
            texts = (data / "tweeteval_emotion/train_text.txt").read_text().splitlines()
            labels = (data / "tweeteval_emotion/train_labels.txt").read_text().split()
            return texts[: len(labels)], labels
        case "ag_news":
            with (data / "ag_news/test.csv").open(newline="") as file:
                rows = list(csv.reader(file))
            return [f"{title} {text}" for _, title, text in rows], [label for label, _, _ in rows]
    raise ValueError(f"no task is named {task}")


def dataset(data: Path, job: Job) -> TaskData:
    texts, labels = texts_of(data, job.task)
    names = sorted(set(labels))
    order = np.random.default_rng(job.seed).permutation(len(texts))

    def table(places: np.ndarray) -> pa.Table:
        ids = [names.index(labels[place]) for place in places]
        return pa.table({"text": [texts[place] for place in places], "label": pa.array(ids, pa.int64())})

    test, validation, train = np.split(order, [TEST_ROWS, TEST_ROWS + VALIDATION_ROWS])
    return TaskData(
        job.task,
        "text_classification",
        "accuracy",
        "text",
        tuple(names),
        table(train[: job.rows]),
        table(validation),
        table(test),
    )


def train(models: Path, data: Path, job: Job, device: str = "cpu") -> Iterator[Point]:
    """The points of a run; fewer where it diverges."""
    rows = dataset(data, job)
    stages = tuple(end for end in STAGES if end <= job.epochs)
    options = TrainingOptions(
        epochs=job.epochs,
        batch_size=16,
        learning_rate=job.rate,
        max_length=64,
        tuning=job.tuning,
        seed=job.seed,
        device=device,
        stages=stages,
        keep="last",
    )
    run = FineTuning(job.model, models / job.model, rows, options)
    labels = rows.validation.column("label").to_numpy()
    for end in stages:
        try:
            point = run.advance(test=end >= 1)
        except TrainingError as error:
            print(error)
            run.release()
            return
        scores = run.predict_scores("validation")
        losses = -np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-12))
        right = scores.argmax(axis=1) == labels
        yield Point(
            *(getattr(job, field.name) for field in fields(Job)),
            end,
            point.train_loss,
            float(right.mean()),
            float(losses.mean()),
            float(right[:75].mean()),
            float(losses[:75].mean()),
            math.nan if point.test is None else point.test,
        )
    run.release()


def train_all(models: Path, data: Path, out: Path, only: Sequence[str]) -> None:
    names = [field.name for field in fields(Point)]
    done = {run for run, _ in groups(read(out))} if out.exists() else set()
    if not done:
        out.write_text(",".join(names) + "\n")
    for job in jobs():
        if job in done or (only and job.model not in only) or not (models / job.model).is_dir():
            continue
        points = list(train(models, data, job))
        with out.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [[getattr(point, name) for name in names] for point in points]
            )
        print(job, [round(point.validation, 3) for point in points], flush=True)


def read(path: Path) -> list[Point]:
    reader = "read_csv" if path.suffix == ".csv" else "read_parquet"
    kinds = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE"}
    columns = ", ".join(f"{field.name}::{kinds[field.type]}" for field in fields(Point))
    options = ", nullstr = 'nan'" if path.suffix == ".csv" else ""
    rows = duckdb.execute(f"SELECT {columns} FROM {reader}('{path}'{options})").fetchall()
    return [Point(*(math.nan if value is None else value for value in row)) for row in rows]


def groups(points: Sequence[Point]) -> Iterator[tuple[Job, list[Point]]]:
    """The runs with their points, in order."""
    found: dict[Job, list[Point]] = defaultdict(list)
    for point in points:
        found[Job(*(getattr(point, field.name) for field in fields(Job)))].append(point)
    for job, run in found.items():
        yield job, sorted(run, key=lambda point: point.epoch)


@dataclass(frozen=True)
class Case:
    """A model on a task: its runs by rate."""

    model: str
    task: str
    runs: dict[float, list[Point]]

    def test(self, rate: float) -> float:
        """The test score at its best validation, among the points that were tested; NaN without such a run."""
        if rate not in self.runs:
            return math.nan
        tested = [point for point in self.runs[rate] if not math.isnan(point.test)]
        return max(tested, key=lambda point: (point.validation, -point.epoch)).test

    def nearest(self, rate: float) -> float:
        return min(self.runs, key=lambda one: abs(math.log(one / rate)))

    def found(self, rates: Sequence[float], epoch: float = 0.5, by: str = "validation_loss") -> float:
        """The rate that a first stage of so many epochs chooses among the recorded ones nearest to ``rates``."""
        tried = sorted({self.nearest(rate) for rate in rates})
        at = {rate: next(point for point in self.runs[rate] if point.epoch == epoch) for rate in tried}
        sign = 1 if "loss" in by else -1
        return min(tried, key=lambda rate: sign * getattr(at[rate], by))


def cases(points: Sequence[Point]) -> list[Case]:
    found: dict[tuple[str, str], dict[float, list[Point]]] = defaultdict(dict)
    for job, run in groups(points):
        if Job(job.model, job.task, job.rate) == job:
            found[job.model, job.task][job.rate] = run
    return [Case(*key, runs) for key, runs in found.items() if len(runs) >= 3]


def around(centre: float) -> tuple[float, float, float]:
    return centre / learning_rates.FACTOR, centre, centre * learning_rates.FACTOR


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def centre(case: Case, anchor: float, power: float) -> float:
    """The rate in the midst, from that of 6 layers of 384 and the exponent of a network's size."""
    width, layers = MODELS[case.model]
    return float(anchor * (width / 384 * (layers / 6) ** 0.5) ** -power)


def fit(among: Sequence[Case]) -> tuple[float, float]:
    """The anchor and the exponent that find the best rates of some cases."""

    def worth(given: tuple[float, float]) -> tuple[float, float]:
        scores = [case.test(case.found(around(centre(case, *given)))) for case in among]
        return mean(scores), -abs(given[1] - 1)  # ties go to 1 / size

    anchors = [1e-4 * 1.2**step for step in range(9)]
    return max(((anchor, power) for anchor in anchors for power in (0.5, 1.0, 1.5)), key=worth)


def rule(case: Case) -> tuple[float, ...]:
    """The rates that the store tries."""
    return learning_rates.rates_to_try(*MODELS[case.model], 57, "full")


def compared(known: Sequence[Case]) -> Iterator[str]:
    """Found rates, fixed ones, and the best of all in hindsight."""
    yield "| model | task | found | at | 3e-5 | 5e-5 | best of all | at |"
    yield "| --- | --- | --: | --: | --: | --: | --: | --: |"
    totals = []
    for case in known:
        rate, best = case.found(rule(case)), max(case.runs, key=case.test)
        row = (case.test(rate), case.test(3e-5), case.test(5e-5), case.test(best))
        totals.append(row)
        scores = f"{row[0]:.3f} | {rate:g} | {row[1]:.3f} | {row[2]:.3f} | {row[3]:.3f} | {best:g}"
        yield f"| {case.model} | {case.task} | {scores} |"
    found, low, usual, ceiling = np.nanmean(totals, axis=0)
    yield f"| mean | | {found:.3f} | | {low:.3f} | {usual:.3f} | {ceiling:.3f} | |"


def by_signal(known: Sequence[Case]) -> Iterator[str]:
    """What the rate is chosen by, and after how many epochs."""
    yield "| chosen by | after 0.25 | after 0.5 | after 1 epoch |"
    yield "| --- | --: | --: | --: |"
    for by in ("validation_loss", "validation_loss_75", "validation", "validation_75"):
        means = [
            mean([case.test(case.found(rule(case), epoch, by)) for case in known])
            for epoch in (0.25, 0.5, 1.0)
        ]
        yield f"| {by} | {' | '.join(f'{one:.3f}' for one in means)} |"


def left_out(known: Sequence[Case]) -> Iterator[str]:
    """The rule fitted without each model or task, on that model or task."""
    for kind in ("model", "task"):
        scores = []
        for case in known:
            anchor, power = fit([one for one in known if getattr(one, kind) != getattr(case, kind)])
            scores.append(case.test(case.found(around(centre(case, anchor, power)))))
        yield f"fitted without the {kind} itself: {mean(scores):.3f}"
    anchor, power = fit(known)
    yield f"fitted on all: {anchor:.2g} for 6 layers of 384, exponent {power:g}"


def others(points: Sequence[Point]) -> Iterator[str]:
    """Other numbers of rows and epochs, and other tunings."""
    found: dict[tuple[Any, ...], dict[float, list[Point]]] = defaultdict(dict)
    for job, run in groups(points):
        if Job(job.model, job.task, job.rate) != job:
            found[job.model, job.task, job.tuning, f"{job.rows} rows", f"{job.epochs} epochs"][job.rate] = run
    for key, runs in found.items():
        case = Case(key[0], key[1], runs)
        yield f"{', '.join(key)}: {', '.join(f'{rate:g} {case.test(rate):.3f}' for rate in sorted(runs))}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    training = commands.add_parser("train")
    for name in ("models", "data", "out"):
        training.add_argument(f"--{name}", type=Path, required=True)
    training.add_argument("--only", nargs="*", default=[])
    report = commands.add_parser("report")
    report.add_argument("runs", type=Path)
    report.add_argument("--save", type=Path)
    given = parser.parse_args()
    if given.command == "train":
        train_all(given.models, given.data, given.out, given.only)
        return
    points = read(given.runs)
    for part in (compared(cases(points)), by_signal(cases(points)), left_out(cases(points)), others(points)):
        print("\n".join(part), end="\n\n")
    if given.save:
        columns = {field.name: [getattr(point, field.name) for point in points] for field in fields(Point)}
        duckdb.from_arrow(pa.table(columns)).write_parquet(str(given.save), compression="zstd")


if __name__ == "__main__":
    main()
