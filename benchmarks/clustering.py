"""CLUSTER MODELS at scale: seconds, peak memory, and agreement with the exact clustering, by number of models.

    python benchmarks/clustering.py [--sizes 1000 3000 10000 30000 100000]

Each size is clustered in a process of its own: its results are inserted, then the time of `CLUSTER MODELS` is taken
from SQL text to rows, and the process's peak memory, imports and DuckDB included. `again` is the time of a second
one, after ten models more. The matrices are those of `synthetic`. `exact` is average linkage (SciPy) of all
distances, and ARI the adjusted Rand index of the clustering with it, for sizes that have that. The last table is
what stands in where a large matrix is too dense for all neighbours (`sampled`), forced upon a size that the exact
clustering can judge; then how far the exact clustering agrees with itself when few models go, k-means, and the same
in plain Python loops.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import synthetic

import modelstore
from modelstore.recall import clustering
from modelstore.recall.distances import PerformanceDistances
from modelstore.recall.silhouettes import silhouette_of

THRESHOLD, TOP_K = 0.09, 5
JUDGED = 10_000  # models at most, of those compared with the exact clustering
LOOPED = 500
MORE = 10  # models, before it is clustered again


def cluster(kind: str, models: int) -> dict[str, float | None]:
    """Clusters a matrix in a store, in this process."""
    scores = getattr(synthetic, kind)(models + MORE)
    scores, more = scores[:models], scores[models:]
    with modelstore.connect() as store:
        insert(store, scores, "m")
        began = time.perf_counter()
        [(clusters, _, singletons, silhouette, _)] = store.execute("CLUSTER MODELS").fetchall()
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        labels = store.execute("SELECT cluster FROM model_clusters ORDER BY model").fetchnumpy()["cluster"]
        insert(store, more, "more")
        began = time.perf_counter()
        store.execute("CLUSTER MODELS")
        again = time.perf_counter() - began
    return {
        "clusters": clusters,
        "singletons": singletons,
        "silhouette": silhouette,
        "seconds": seconds,
        "again": again,
        "memory": memory,
        "ari": agreement(scores, labels) if models <= JUDGED else None,
    }


def insert(store: modelstore.Connection, scores: np.ndarray, prefix: str) -> None:
    row, column = np.nonzero(np.isfinite(scores))
    store.register("cells", pa.table({"n": row, "d": column, "score": scores[row, column]}))
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) "
        "SELECT format('{}{:06d}', ?, n), format('d{:02d}', d), score FROM cells",
        [prefix],
    )
    store.unregister("cells")


def agreement(scores: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(exact(scores), labels))


def exact(scores: np.ndarray) -> np.ndarray:
    """SciPy's average linkage of all distances in float64."""
    from scipy.cluster.hierarchy import fcluster, linkage

    distances = PerformanceDistances(scores, TOP_K)
    everyone = np.arange(len(scores))
    condensed = np.concatenate(
        [distances.between(everyone[i : i + 1], everyone[i + 1 :])[0] for i in everyone]
    )
    return fcluster(linkage(condensed, "average"), THRESHOLD, "distance")


def kmeans(models: int, clusters: int) -> dict[str, float]:
    distances = PerformanceDistances(scores := synthetic.families(models), TOP_K)
    began = time.perf_counter()
    labels = clustering.kmeans(scores, clusters, seed=0)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "silhouette": silhouette_of(distances, labels) or 0.0,
        "hierarchical": silhouette_of(distances, clustering.hierarchical(distances, THRESHOLD)) or 0.0,
    }


def sample(kind: str, models: int, size: int) -> float:
    """The agreement of clustering by a sample with the exact one."""
    scores = getattr(synthetic, kind)(models)
    labels = clustering.sampled(PerformanceDistances(scores, TOP_K), THRESHOLD, size)
    return agreement(scores, labels)


def stability(kind: str) -> float:
    """How the exact clustering agrees with itself, among the models that are left when one in a hundred goes."""
    from sklearn.metrics import adjusted_rand_score

    scores = getattr(synthetic, kind)(3000)
    left = np.arange(len(scores)) % 100 != 0
    return float(adjusted_rand_score(exact(scores)[left], exact(scores[left])))


def loops(models: int) -> float:
    """Seconds of the same in plain Python: distances, then the nearest two merged until they are too far apart."""
    scores = synthetic.families(models).tolist()
    began = time.perf_counter()
    apart: list[dict[int, float]] = [{} for _ in scores]
    for (i, one), (j, other) in combinations(enumerate(scores), 2):
        differences = [abs(x - y) for x, y in zip(one, other, strict=True) if x == x and y == y]
        largest = sorted(differences)[-TOP_K:]
        apart[i][j] = apart[j][i] = sum(largest) / len(largest) if largest else float("inf")
    sizes = dict.fromkeys(range(models), 1)
    while len(sizes) > 1:
        distance, i, j = min(
            (min(apart[i].values()), i, min(apart[i], key=apart[i].__getitem__)) for i in sizes
        )
        if distance > THRESHOLD:
            break
        for other in sizes:
            if other not in (i, j):
                total = sizes[i] * apart[i][other] + sizes[j] * apart[j][other]
                apart[i][other] = apart[other][i] = total / (sizes[i] + sizes[j])
                del apart[other][j]
        del apart[i][j]
        sizes[i] += sizes.pop(j)
    return time.perf_counter() - began


def elsewhere(*arguments: object) -> dict[str, float]:
    """One of the functions above, in a process of its own, for its peak memory."""
    command = [sys.executable, str(Path(__file__)), "--one", *map(str, arguments)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(printed.splitlines()[-1])  # before it may be DuckDB's bar


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=["families", "dense", "cloud"])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(cluster(given.one[0], int(given.one[1]))))
        return
    print(
        "| matrix | models | seconds | again | peak GB | clusters | singletons | silhouette | ARI with exact |"
    )
    print("| --- " * 9 + "|")
    for kind in given.kinds:
        for models in given.sizes:
            found = elsewhere(kind, models)
            ari = "" if found["ari"] is None else f"{found['ari']:.4f}"
            print(
                f"| {kind} | {models:,} | {found['seconds']:.1f} | {found['again']:.1f} | "
                f"{found['memory']:.2f} | {found['clusters']:,} | {found['singletons']:,} | "
                f"{found['silhouette']:.3f} | {ari} |",
                flush=True,
            )
    print("\n| by a sample | models | sampled | ARI with exact |\n| --- | --- | --- | --- |")
    for kind in given.kinds:
        for size in (JUDGED // 16, JUDGED // 4):
            print(f"| {kind} | {JUDGED:,} | {size:,} | {sample(kind, JUDGED, size):.4f} |", flush=True)
    for kind in given.kinds:
        print(
            f"\n{kind}: the exact clusterings with and without one model in a hundred agree by {stability(kind):.4f}"
        )
    compared = kmeans(JUDGED, JUDGED // 4)
    print(
        f"\nk-means of {JUDGED:,} models into {JUDGED // 4:,} clusters: {compared['seconds']:.1f} s, silhouette "
        f"{compared['silhouette']:.3f}; hierarchical {compared['hierarchical']:.3f}"
    )
    seconds = loops(LOOPED)
    times = JUDGED / LOOPED
    print(
        f"\nPlain Python loops: {seconds:.1f} s for {LOOPED} models; at {JUDGED:,}, {times:.0f} times as many, "
        f"{seconds * times**2 / 60:.0f} min if it grows with the square, as the distances do "
        f"({seconds * times**3 / 3600:.0f} h with the cube, as the search for the nearest does)"
    )


if __name__ == "__main__":
    main()
