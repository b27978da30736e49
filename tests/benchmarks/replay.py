"""Replays strategies on the validation run's recorded curves, kept in tests/benchmarks/data, at no cost.

    python tests/benchmarks/replay.py

Each dataset in turn is selected for as if it were new. The first table is of the 15 benchmark tasks, on which a
strategy's parameters may be chosen; the second of the 6 targets, on which they are then judged. Regret is the best
final test score of any model less the chosen one's.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import modelstore

DATA = Path(__file__).parent / "data"
TARGETS = ("icon_category", "installed_size", "letter", "section_en", "suite", "use")
STRATEGIES = (
    ("brute_force", ""),
    ("successive_halving", ""),
    ("fine_selection", ""),
    ("fine_selection", "threshold = 0.05"),
    ("fine_selection", "threshold = 0.1"),
    ("fine_selection", "threshold = 0.2"),
    ("two_phase", ""),
    ("two_phase", "threshold = 0.05"),
    ("two_phase", "threshold = 0.1"),
    ("two_phase", "threshold = 0.2"),
)
LOAD = """
INSERT INTO models (name, modality, architecture, parameters) FROM '{data}/models.parquet';
INSERT INTO datasets (name, task, metric, modality, train_rows, validation_rows, test_rows)
FROM '{data}/datasets.parquet';
INSERT INTO benchmark_results (model, dataset, metric, score, epochs, seconds)
FROM '{data}/matrix.parquet' WHERE dataset NOT IN {targets};
CLUSTER MODELS;
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, train_loss, seconds)
FROM '{data}/curves.parquet';
INSERT INTO proxy_scores (model, dataset, proxy, score, rows, seconds) FROM '{data}/proxies.parquet';
CREATE TABLE finals AS
SELECT model, dataset, test FROM training_curves QUALIFY stage = max(stage) OVER (PARTITION BY model, dataset);
"""


def replay(store: modelstore.Connection, dataset: str, strategy: str, options: str) -> tuple[float, float]:
    """The regret and the epochs of a selection; a quarter of the models is recalled."""
    [(models, best)] = store.execute(
        "SELECT count(*), max(test) FROM finals WHERE dataset = ?", [dataset]
    ).fetchall()
    given = f"executor = 'replay', epochs = 4, recall = {models // 4}" + (f", {options}" if options else "")
    [row] = store.execute(f"SELECT BEST MODEL FOR {dataset} USING {strategy} WITH ({given})").fetchall()
    [(epochs,)] = store.execute("SELECT epochs FROM selections WHERE id = ?", [row[7]]).fetchall()
    return best - row[3], epochs


def table(store: modelstore.Connection, datasets: list[str], recalls: bool) -> Iterator[str]:
    yield "| strategy | epochs | regret | standard error |"
    yield "| --- | --- | --- | --- |"
    for strategy, options in STRATEGIES:
        if strategy == "two_phase" and not recalls:
            continue  # only the targets have proxy scores on record
        found = [replay(store, dataset, strategy, options) for dataset in datasets]
        regrets = [regret for regret, _ in found]
        error = stdev(regrets) / len(regrets) ** 0.5
        name = strategy + (f", {options}" if options else "")
        yield f"| {name} | {mean(epochs for _, epochs in found):.1f} | {mean(regrets):.4f} | {error:.4f} |"


def main() -> None:
    with modelstore.connect() as store:
        store.execute(LOAD.format(data=DATA, targets=TARGETS))
        names = [name for (name,) in store.execute("SELECT name FROM datasets ORDER BY name").fetchall()]
        benchmarks = [name for name in names if name not in TARGETS]
        print(
            *table(store, benchmarks, recalls=False), "", *table(store, list(TARGETS), recalls=True), sep="\n"
        )


if __name__ == "__main__":
    main()
