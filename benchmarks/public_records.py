"""Makes the package's public records, `modelstore/public/`, from what their sources publish.

    python benchmarks/public_records.py --euroeval DIR --paper DIR [--out DIR]

The first folder has the exports of the EuroEval leaderboards, `<language>_nlu.csv`; the second has `nlp_matrix.csv`
and `cv_matrix.csv`, a row for each dataset and a column for each model. A Parquet file is made of each set, and
`records.json` describes them. Scores are shares of 1; those of the leaderboards have beside them half of their
95 % confidence intervals, in the column `interval`.
"""

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PUBLIC = Path(__file__).parents[1] / "modelstore" / "public"
ENCODER = "🔍"  # how a leaderboard marks encoders, which are fine-tuned; generative models are prompted
FIRST = 10  # columns before the first with scores
METRICS = {  # of the first of a cell's two scores
    "Sentiment classification": "matthews",
    "Linguistic acceptability": "matthews",
    "Named entity recognition": "f1_entity",
    "Reading comprehension": "f1",
}
PAPER = {
    "source": "https://github.com/plasware/two-phase-selection",
    "license": "MIT, Copyright (c) 2023 plasware",
    "date": "2023",
    "score": "the score of a fine-tuned model as published: an accuracy, though cola has a negative one",
}
DESCRIPTIONS: dict[str, dict[str, str]] = {
    "euroeval": {
        "title": "encoders fine-tuned on tasks in 30 European languages",
        "source": "https://euroeval.com/leaderboards",
        "license": "MIT, Copyright (c) 2024-2026 Dan Saattrup Smart",
        "date": "2026-04",  # the newest results in the exports are of version 17.2.0.dev0, from before 17 April
        "score": "the mean of 10 runs, each on a bootstrap sample of the test rows: Matthews correlation of "
        "sentiment and acceptability, F1 of entities without MISC, F1 of the words of answers",
    },
    "paper_nlp": {"title": "text models fine-tuned on the benchmark tasks of Cui et al.", **PAPER},
    "paper_cv": {"title": "image models fine-tuned on the benchmark tasks of Cui et al.", **PAPER},
}


def leaderboards(folder: Path) -> pa.Table:
    """The encoders' results of all leaderboards of one language; those of several only repeat them."""
    rows = [row for path in sorted(folder.glob("*_nlu.csv")) for row in leaderboard(path)]
    repeated = len(rows) - len({(row["model"], row["dataset"]) for row in rows})
    if repeated:
        raise SystemExit(f"{repeated} pairs of model and dataset are in {folder} more than once")
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["model"], row["dataset"])))


def leaderboard(path: Path) -> Iterator[dict[str, Any]]:
    """The encoders' results in an export: two header rows, then a row for each model."""
    with path.open(encoding="utf-8", newline="") as file:
        tasks, names, *rows = ([without_tags(cell) for cell in row] for row in csv.reader(file))
    scored = [name.removesuffix("_version") for name in names if name.endswith("_version")]
    columns = [place for place, name in enumerate(names) if place >= FIRST and name in scored]
    for row in rows:
        for place in columns:
            if ENCODER in row[1] and (found := first_score(row[place])):
                task = task_of(tasks, place)
                yield {
                    "model": row[0],
                    "dataset": names[place],
                    "score": found[0],
                    "metric": METRICS[task],
                    "interval": found[1],
                    "language": path.name.removesuffix("_nlu.csv"),
                    "task": task.lower(),
                    "parameters": int(float(row[3])),
                }


def without_tags(cell: str) -> str:
    return re.sub("<[^>]*>", "", cell).strip()


def task_of(tasks: list[str], place: int) -> str:
    """The task of a column: a task with several datasets is named above the first of them, between ~~~."""
    return next(task for task in reversed(tasks[: place + 1]) if task).strip("~")


def first_score(cell: str) -> tuple[float, float] | None:
    """The first score of `63.59 ± 0.91 / 75.27 ± 0.64@@63.59` and its interval, as shares; None of a gap, `-@@-1`."""
    if cell.startswith("-@@"):
        return None
    found = re.match(r"(-?\d+\.\d+) ± (\d+\.\d+) / ", cell)
    if found is None:
        raise SystemExit(f'"{cell}" is no score with its interval')
    return round(float(found[1]) / 100, 4), round(float(found[2]) / 100, 4)


def matrix(path: Path) -> pa.Table:
    """The results of a matrix with a row for each dataset and a column for each model."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {"model": model, "dataset": row["dataset"], "score": float(score), "metric": None}
            for row in csv.DictReader(file)
            for model, score in row.items()
            if model != "dataset" and score
        ]
    schema = pa.schema(
        {"model": pa.string(), "dataset": pa.string(), "score": pa.float64(), "metric": pa.string()}
    )
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["model"], row["dataset"])), schema)


def write(name: str, records: pa.Table, out: Path) -> dict[str, Any]:
    """Writes a set of records, and returns its description."""
    pq.write_table(records, out / f"{name}.parquet", compression="zstd")
    counts = {kind: len(records.column(kind[:-1]).unique()) for kind in ("models", "datasets")}
    return {"name": name, **DESCRIPTIONS[name], **counts, "results": len(records)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the package's public records from their sources.")
    parser.add_argument(
        "--euroeval", type=Path, required=True, help="the folder with the leaderboards' exports"
    )
    parser.add_argument("--paper", type=Path, required=True, help="the folder with the paper's matrices")
    parser.add_argument(
        "--out", type=Path, default=PUBLIC, help="where to write; by default into the package"
    )
    given = parser.parse_args()
    sets = {
        "euroeval": leaderboards(given.euroeval),
        "paper_nlp": matrix(given.paper / "nlp_matrix.csv"),
        "paper_cv": matrix(given.paper / "cv_matrix.csv"),
    }
    described = [write(name, records, given.out) for name, records in sets.items()]
    text = json.dumps(described, indent=2, ensure_ascii=False)
    (given.out / "records.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
