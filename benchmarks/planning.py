"""How long a statement over 100,000 models takes before and beside the work it asks for.

    python benchmarks/planning.py [MODELS]

Three tables. Planning: `SELECT BEST MODEL` from its text to its plan, before any training, and `EXPLAIN` of it, which
tells costs besides; on a catalog without and with clusters and proxy scores. Recall: `RECALL` from its text to its
rows, over clustered models of which half are singletons, with stored scores of the representatives; where the target
is new, and where it has results on record, which are left out. Parts: what the plan and the recall consist of.
Medians of the runs, in milliseconds.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from synthetic import families

import modelstore
from modelstore.planner import dispatch as bind
from modelstore.planner.recall import statement as recall_models
from modelstore.planner.recall.prior import Records
from modelstore.planner.select import statement as selecting
from modelstore.recall import coarse_recall
from modelstore.store.clusters import Clusters
from modelstore.store.proxy_scores import ProxyScores
from modelstore.store.results import Results

RUNS = 9
SELECT = "SELECT BEST MODEL FOR target WITH (executor = 'torch')"
RECALL = "RECALL 10 MODELS FOR {}"
# Families so tight that nearly all stay whole at a threshold that hardly anybody else is within.
NOISE = 0.006
CLUSTER = "CLUSTER MODELS WITH (threshold = 0.02)"


def load(store: modelstore.Connection, models: int) -> None:
    store.execute(
        "INSERT INTO models (name, uri, modality, architecture, parameters, card) "
        "SELECT 'org/model-' || n, '/models/' || n, 'text', 'bert', 1000000 + n, repeat('What a card says. ', 20) "
        "FROM range(?) AS numbers(n)",
        [models],
    )
    store.execute(
        "INSERT INTO datasets (name, task, metric, labels, train_rows, validation_rows, test_rows, modality) "
        "VALUES ('target', 'text_classification', 'accuracy', ['a', 'b'], 1000, 100, 100, 'text')"
    )


def load_results(store: modelstore.Connection, models: int) -> None:
    scores = families(models, noise=NOISE)
    row, column = np.nonzero(np.isfinite(scores))
    store.register("cells", pa.table({"n": row, "d": column, "score": scores[row, column]}))
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, epochs, seconds) "
        "SELECT 'org/model-' || n, 'task' || d, score, 5, 100 FROM cells"
    )
    store.unregister("cells")
    store.execute(CLUSTER)
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) "
        "SELECT DISTINCT representative, unnest(['target', 'task0']), 'leep', -2 * hash(representative) / 2e19 "
        "FROM model_clusters QUALIFY count(*) OVER (PARTITION BY cluster) > 1"
    )


def timed(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


def planning(store: modelstore.Connection) -> float:
    """Milliseconds from the text of SELECT to its plan."""
    began = ended = 0.0
    seconds = []

    class Planned(Exception):
        pass

    def stop(plan: Any) -> None:
        nonlocal ended
        ended = time.perf_counter()
        raise Planned

    run = selecting.TrainedSelection.run
    selecting.TrainedSelection.run = stop  # type: ignore[assignment,method-assign]
    try:
        for _ in range(RUNS):
            began = time.perf_counter()
            try:
                store.execute(SELECT)
            except Planned:
                seconds.append(ended - began)
    finally:
        selecting.TrainedSelection.run = run  # type: ignore[method-assign]
    return 1000 * median(seconds)


def parts(work: Callable[[], Any], functions: list[tuple[Any, str]]) -> dict[str, float]:
    """Milliseconds in each of the functions, those it calls included, in the median run."""
    spent: dict[str, list[float]] = {}
    originals = [getattr(owner, name) for owner, name in functions]

    def measuring(original: Callable[..., Any], label: str) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                spent.setdefault(label, []).append(time.perf_counter() - began)

        return measured

    for (owner, name), original in zip(functions, originals, strict=True):
        setattr(owner, name, measuring(original, f"{owner.__name__.rsplit('.', 1)[-1]}.{name}"))
    try:
        timed(work)
    finally:
        for (owner, name), original in zip(functions, originals, strict=True):
            setattr(owner, name, original)
    return {label: 1000 * sum(seconds) / RUNS for label, seconds in spent.items()}


def main() -> None:
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with modelstore.connect() as store:
        load(store, models)
        print(f"{models:,} registered models; median of {RUNS} runs, ms\n")
        print("| SELECT BEST MODEL over | parse + plan | EXPLAIN |\n| --- | --- | --- |")
        explained = timed(lambda: store.execute("EXPLAIN " + SELECT).fetchall())
        print(f"| models without records | {planning(store):.0f} | {explained:.0f} |")
        load_results(store, models)
        explained = timed(lambda: store.execute("EXPLAIN " + SELECT).fetchall())
        print(f"| models with results, clusters and scores | {planning(store):.0f} | {explained:.0f} |\n")

        [(clusters, singletons)] = store.execute(
            "SELECT sum((size > 1)::INT), sum((size = 1)::INT) "
            "FROM (SELECT count(*) AS size FROM model_clusters GROUP BY cluster)"
        ).fetchall()
        print(f"{clusters:,} clusters, their representatives' scores stored, and {singletons:,} singletons\n")
        print("| RECALL 10 MODELS | text to rows |\n| --- | --- |")
        began = time.perf_counter()
        store.execute(RECALL.format("target")).fetchall()
        print(f"| the first after the results have changed | {1000 * (time.perf_counter() - began):.0f} |")
        by_mean = timed(lambda: store.execute(RECALL.format("target") + " WITH (prior = 'mean')").fetchall())
        print(f"| new target, by the paper's formula | {by_mean:.0f} |")
        for target, label in (("target", "new target"), ("task0", "target with results on record")):
            print(f"| {label} | {timed(lambda t=target: store.execute(RECALL.format(t)).fetchall()):.0f} |")
        functions = [
            (bind, "plan"),
            (recall_models, "find_candidates"),
            (Clusters, "of"),
            (coarse_recall, "plan_scoring"),
            (ProxyScores, "on"),
            (Results, "fingerprint"),
            (Records, "priors_of"),
            (Records, "slopes_of"),
        ]
        print("\n| part of RECALL | ms |\n| --- | --- |")
        found = parts(lambda: store.execute(RECALL.format("target")).fetchall(), functions)
        for label, milliseconds in found.items():
            print(f"| {label} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()
