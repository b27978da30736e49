"""How fast the formulas and loading are: each against its target, or against the plain way in the same run.

    python benchmarks/udfs.py [--curves ROWS]

Prints a markdown table. A figure is the median of several runs, taken in turn where two ways are compared; the ratio
is the median of each pair of runs'. It needs about 4 GB of memory and, in the folder for temporary files, 3 GB.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

import modelstore
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme

Timing = tuple[float, float, float]  # median seconds of ours and of the other way, median ratio


def side_by_side(ours: Callable[[], Any], other: Callable[[], Any], runs: int = 5) -> Timing:
    """Both ways in turn, after one run of each that does not count."""
    pairs = [(seconds(ours), seconds(other)) for _ in range(runs + 1)][1:]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def seconds(task: Callable[[], Any]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def published_logme(features: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """LogME by the authors' algorithm (You et al., JMLR 2022, Algorithm 3), step by step.

    A truncated decomposition by that of FᵀF, then for each class the fixed-point iteration on α and β, which is
    stopped as theirs is: at a relative change of 1e-3, or after 11 steps.
    """
    rows, width = features.shape
    _, squares, axes = np.linalg.svd(features.T @ features)
    singular = np.sqrt(squares)
    rank = int((singular > 1e-10).sum())
    left = features @ axes[:rank].T / singular[:rank]
    sigma = squares[:rank]
    evidences = []
    for label in range(labels.max() + 1):
        y = (labels == label).astype(np.float64)
        projections = (left.T @ y) ** 2
        outside = (y**2).sum() - projections.sum()
        alpha = beta = 1.0
        for _ in range(11):
            ratio = alpha / beta
            gamma = (sigma / (sigma + ratio)).sum()
            weights = (sigma * projections / (ratio + sigma) ** 2).sum()
            residual = (projections / (1 + sigma / ratio) ** 2).sum() + outside
            alpha = gamma / (weights + 1e-5)
            beta = (rows - gamma) / (residual + 1e-5)
            if abs(alpha / beta - ratio) / ratio <= 1e-3:
                break
        log_evidence = width / 2 * np.log(alpha) + rows / 2 * np.log(beta / (2 * np.pi))
        log_evidence -= 0.5 * np.log(alpha + beta * sigma).sum() + beta / 2 * residual + alpha / 2 * weights
        evidences.append(log_evidence / rows)
    return float(np.mean(evidences))


def leep_rows() -> Iterator[str]:
    random = np.random.default_rng(0)
    rows, classes = 1_000_000, 10
    labels = random.integers(0, classes, rows)
    theta = random.dirichlet(np.full(classes, 0.5), rows)
    taken = median(seconds(lambda: leep(theta, labels)) for _ in range(5))
    yield f"| `leep`, 1 million rows × 10 classes, in Python | {taken:.2f} s | 1 s | {taken:.2f} |"
    with modelstore.connect() as store:
        store.execute(
            "CREATE TABLE predicted AS SELECT list_transform(theta, lambda x: x / list_sum(theta)) AS theta, "
            "i % 10 AS label FROM (SELECT i, [random() FOR _ IN range(10)] AS theta FROM range(1_000_000) t(i))"
        )
        sql = "SELECT leep(list(theta), list(label)) FROM predicted"
        taken = median(seconds(lambda: store.execute(sql).fetchall()) for _ in range(5))
    yield f"| the same from a table, in SQL | {taken:.2f} s | 1 s | {taken:.2f} |"


def logme_rows() -> Iterator[str]:
    random = np.random.default_rng(0)
    for classes in (10, 100):
        labels = random.permutation(np.arange(10_000) % classes)
        features = 0.1 * random.normal(size=(classes, 768))[labels] + random.normal(size=(10_000, 768))
        ours, theirs = logme(features, labels), published_logme(features, labels)
        assert abs(ours - theirs) < 1e-3, f"not the same evidence: {ours}, {theirs}"
        mine, other, ratio = side_by_side(
            lambda f=features, y=labels: logme(f, y), lambda f=features, y=labels: published_logme(f, y)
        )
        yield (
            f"| `logme`, 10,000 × 768, {classes} classes, against the authors' algorithm "
            f"| {mine:.2f} s | {other:.2f} s | {ratio:.2f} |"
        )


def load_rows(rows: int) -> Iterator[str]:
    """`COPY` into our store against the same statement into the same table of a file without us."""
    with tempfile.TemporaryDirectory() as folder:
        for extension, options in (("parquet", "FORMAT parquet"), ("csv", "FORMAT csv, HEADER")):
            source = Path(folder) / f"curves.{extension}"
            write_curves(source, rows, options)
            copy = f"COPY training_curves FROM '{source}' ({options})"
            ours, other, ratio = side_by_side(
                lambda copy=copy: load(Path(folder) / "ours.db", copy, with_us=True),
                lambda copy=copy: load(Path(folder) / "plain.db", copy, with_us=False),
                runs=3,
            )
            yield (
                f"| {rows:,} curve rows by `COPY` from {extension}, against plain DuckDB "
                f"| {ours:.1f} s | {other:.1f} s | {ratio:.2f} |"
            )
            source.unlink()


def write_curves(path: Path, rows: int, options: str) -> None:
    with duckdb.connect() as plain:
        plain.execute(
            f"COPY (SELECT 'model-' || i // 1000 AS model, 'dataset-' || i // 10 % 100 AS dataset, "
            "(i % 10 + 1)::INTEGER AS stage, (i % 10 + 1) / 2 AS epoch, random() AS validation, random() AS test, "
            "random() AS train_loss, 10 * random() AS seconds, 'default' AS recipe, 0::BIGINT AS seed "
            f"FROM range({rows}) t(i)) TO '{path}' ({options})"
        )


def load(path: Path, copy: str, with_us: bool) -> None:
    """Makes a file, loads it and closes it, which writes out what is still in its log."""
    path.unlink(missing_ok=True)
    if with_us:
        with modelstore.connect(path) as store:
            store.execute(copy)
        return
    with duckdb.connect(str(path)) as plain:
        plain.execute(files("modelstore.schema").joinpath("0001_tables.sql").read_text("utf-8"))
        plain.execute(copy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=int, default=10_000_000, help="curve rows to load (10 million)")
    options = parser.parse_args()
    print("| | ours | target or other | ratio |")
    print("| --- | --- | --- | --- |")
    for row in (*leep_rows(), *logme_rows()):
        print(row)
    for row in load_rows(options.curves):
        print(row, flush=True)


if __name__ == "__main__":
    main()
