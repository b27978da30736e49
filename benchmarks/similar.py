"""Whether datasets that SIMILAR DATASETS says are alike put models in the same order.

    python benchmarks/similar.py --encoder NAME=DIR [--encoder …] --data DIR --out zoo.db [--rows 500]

DIR of --data holds packages/*.parquet, the 16 text tasks of the validation run, whose records of 24 models are in
benchmarks/data/matrix.parquet. Each encoder is a folder in the Hugging Face layout. The script registers both in a
store, computes the embeddings (what is stored is not computed again), and prints, over the 120 pairs of tasks, how
far the similarity by each method goes with the similarity by results; how well the models that are best on a task's
nearest task do on it; and how alike, by results, tasks of one kind or one language are in the public records.
"""

import argparse
import math
import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

import modelstore
from modelstore.recall.normal_scores import normal_score_matrix, normal_score_prior

HERE = Path(__file__).parent
BEST = 3  # models of the nearest task
Similarity = dict[tuple[str, str], float]


def prepare(store: modelstore.Connection, data: Path, encoders: Mapping[str, Path]) -> None:
    """Registers tasks and encoders, and loads the records."""
    tasks = (HERE / "validation" / "datasets.sql").read_text().replace("'data/", f"'{data}/")
    images = [line for line in tasks.splitlines() if "/images/" in line]
    for line in images:
        tasks = tasks.replace(line, "")
    store.execute(tasks)
    for name, folder in encoders.items():
        store.execute(f"CREATE MODEL IF NOT EXISTS \"{name}\" FROM '{folder}'")
    store.execute("DELETE FROM benchmark_results")
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, metric, epochs, seconds, seed) "
        f"SELECT model, dataset, score, metric, epochs, seconds, seed FROM '{HERE / 'data' / 'matrix.parquet'}' "
        "WHERE dataset IN (SELECT name FROM datasets)"
    )


def similarities(store: modelstore.Connection, using: str, column: str = "similarity") -> Similarity:
    """The similarity of each two tasks by a method, in both orders."""
    found: Similarity = {}
    for (target,) in store.execute("SELECT name FROM datasets ORDER BY name").fetchall():
        sql = f"SELECT dataset, {column} FROM (SIMILAR DATASETS TO {target} USING {using})"
        for dataset, value in store.execute(sql).fetchall():
            found[target, dataset] = math.nan if value is None else value
    return found


def agreement(found: Similarity, results: Similarity) -> tuple[float, float, float]:
    """Pearson's and Spearman's correlation over pairs, and the mean over targets of Spearman's."""
    tasks = sorted({task for task, _ in results})
    pairs = [pair for pair in combinations(tasks, 2) if not math.isnan(found[pair])]
    x, y = np.array([(found[pair], results[pair]) for pair in pairs]).T
    each = []
    for target in tasks:
        others = [task for task in tasks if task != target and not math.isnan(found[target, task])]
        if len(others) > 2:
            a, b = np.array([(found[target, task], results[target, task]) for task in others]).T
            each.append(spearmanr(a, b).statistic)
    return pearsonr(x, y).statistic, spearmanr(x, y).statistic, float(np.mean(each))


def transfer(store: modelstore.Connection, found: Similarity) -> list[float]:
    """For each task, the mean normal score on it of the `BEST` models of its nearest task."""
    matrix = store.store.results.matrix("default")
    z = normal_score_matrix(matrix.scores)
    values = []
    for column, target in enumerate(matrix.datasets):
        nearest = max(
            (task for task in matrix.datasets if task != target), key=lambda one: found[target, one]
        )
        order = np.argsort(-np.nan_to_num(z[:, matrix.datasets.index(nearest)], nan=-9.0), kind="stable")
        values.append(float(np.nanmean(z[order[:BEST], column])))
    return values


def by_prior(store: modelstore.Connection) -> list[float]:
    """The same for the models that are best by the prior of all other tasks."""
    matrix = store.store.results.matrix("default")
    z = normal_score_matrix(matrix.scores)
    values = []
    for column in range(len(matrix.datasets)):
        prior = normal_score_prior(np.delete(matrix.scores, column, axis=1))
        values.append(float(np.nanmean(z[np.argsort(-prior, kind="stable")[:BEST], column])))
    return values


def public_pairs(store: modelstore.Connection) -> dict[str, np.ndarray]:
    """How alike tasks of the public records are: those of one kind or language, as their names say, and others."""
    store.execute("IMPORT RECORDS euroeval")
    names = [
        name
        for (name,) in store.execute(
            "SELECT DISTINCT dataset FROM benchmark_results WHERE recipe = 'euroeval' ORDER BY ALL"
        ).fetchall()
        if "_" in name and len(name.rpartition("_")[2]) == 2
    ]
    found: dict[str, list[float]] = {"one kind": [], "one language": [], "neither": []}
    for target in names:
        kind, _, language = target.rpartition("_")
        sql = f"SIMILAR DATASETS TO '{target}' USING results WITH (recipe = 'euroeval')"
        for name, similarity in store.execute(f"SELECT dataset, similarity FROM ({sql})").fetchall():
            if name not in names or name < target:
                continue
            other = name.rpartition("_")
            what = "one kind" if other[0] == kind else "one language" if other[2] == language else "neither"
            found[what].append(similarity)
    return {what: np.array(values) for what, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", action="append", required=True, help="NAME=DIR")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=500)
    given = parser.parse_args()
    encoders = {name: Path(folder) for name, folder in (one.split("=", 1) for one in given.encoder)}
    os.environ.setdefault("MODELSTORE_CACHE", str(given.out.parent / "cache"))
    with modelstore.connect(given.out) as store:
        prepare(store, given.data, encoders)
        results = similarities(store, "results")
        print("by | Pearson | Spearman | Spearman by target | best of the nearest, normal score")
        print(f"prior of all tasks | | | | {_mean(by_prior(store))}")
        print(f"results | | | | {_mean(transfer(store, results))}")
        for name in encoders:
            options = f"WITH (encoder = '{name}', proxy_rows = {given.rows})"
            for method, columns in (
                ("embedding", ("inputs", "labels", "similarity")),
                ("task2vec", ("similarity",)),
            ):
                for column in columns:
                    found = similarities(store, f"{method} {options}", column)
                    numbers = " | ".join(f"{value:.2f}" for value in agreement(found, results))
                    best = _mean(transfer(store, found)) if column == "similarity" else ""
                    print(f"{method} by {name}, {column} | {numbers} | {best}", flush=True)
        seconds = store.execute(
            "SELECT encoder.parse_filename(), method, mean(seconds) FROM dataset_embeddings GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for encoder, method, mean in seconds:
            print(f"{method} by {encoder}: {mean:.1f} s a task")
        for what, values in public_pairs(store).items():
            spread = f"{values.mean():.2f} (deviation {values.std():.2f})"
            print(f"public records, {what}: {len(values)} pairs, similarity {spread}")


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.2f}"


if __name__ == "__main__":
    main()
