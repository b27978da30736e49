"""Every strategy with every prior on the validation run's recorded curves, kept in tests/benchmarks/data, at no cost.

    python tests/benchmarks/replay.py

`COMPARE STRATEGIES` selects for each dataset as if it were new; a quarter of the models is recalled. The first table
is of the 15 benchmark tasks, on which a strategy's parameters may be chosen; the second of the 6 targets, on which
they are then judged; the others are of the targets when less is known of the benchmark tasks. Regret is the best
final test score of any model less the chosen one's: brute force has one too, since it chooses by noisy validation.
Where the records do not have what a strategy needs, its row says so.
"""

from collections.abc import Iterator
from pathlib import Path

import modelstore
from modelstore.language.options import PRIORS, STRATEGIES

DATA = Path(__file__).parent / "data"
TARGETS = ("icon_category", "installed_size", "letter", "section_en", "suite", "use")
LOAD = """
INSERT INTO models (name, modality, architecture, parameters) FROM '{data}/models.parquet';
INSERT INTO datasets (name, task, metric, modality, train_rows, validation_rows, test_rows)
FROM '{data}/datasets.parquet';
INSERT INTO benchmark_results (model, dataset, metric, score, epochs, seconds)
FROM '{data}/matrix.parquet' WHERE dataset NOT IN {targets};
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, train_loss, seconds)
FROM '{data}/curves.parquet';
INSERT INTO proxy_scores (model, dataset, proxy, score, rows, seconds) FROM '{data}/proxies.parquet';
"""
FORGET = """
DELETE FROM benchmark_results WHERE {forgotten};
DELETE FROM training_curves WHERE dataset NOT IN {targets} AND ({forgotten});
"""
# What is not known of the benchmark tasks.
SETTINGS = {
    "a third of the pairs missing": "hash(model, dataset) % 3 = 0",
    "five tasks known": "dataset NOT IN ('devel', 'font_style', 'language', 'scope', 'section_fr')",
    "nothing but the models": "true",
}
REPLAYED = """
WITH replayed AS (
    FROM (COMPARE STRATEGIES {strategy} ON {text} WITH (epochs = 4, recall = 6, prior = '{prior}'))
    UNION ALL FROM (COMPARE STRATEGIES {strategy} ON {image} WITH (epochs = 4, recall = 2, prior = '{prior}'))
)
SELECT avg(epochs), avg(regret), stddev_samp(regret) / sqrt(count(*)) FROM replayed
"""


def cells(store: modelstore.Connection, strategy: str, prior: str, datasets: dict[str, list[str]]) -> str:
    """Epochs, regret and its standard error over the datasets."""
    named = {modality: ", ".join(names) for modality, names in datasets.items()}
    try:
        [found] = store.execute(REPLAYED.format(strategy=strategy, prior=prior, **named)).fetchall()
    except modelstore.MissingRecordError:
        return "scores are missing | |"
    return "{:.1f} | {:.4f} | {:.4f}".format(*found)


def table(store: modelstore.Connection, datasets: dict[str, list[str]]) -> Iterator[str]:
    yield "| strategy | prior | epochs | regret | standard error |"
    yield "| --- | --- | --- | --- | --- |"
    for strategy in STRATEGIES:
        rows = {prior: cells(store, strategy, prior, datasets) for prior in PRIORS}
        if len(set(rows.values())) == 1:  # it recalls nobody
            rows = {"any": next(iter(rows.values()))}
        yield from (f"| {strategy} | {prior} | {row} |" for prior, row in rows.items())


def main() -> None:
    with modelstore.connect() as store:
        store.execute(LOAD.format(data=DATA, targets=TARGETS))
        names = store.execute("SELECT modality, name FROM datasets ORDER BY name").fetchall()
        benchmarks, targets = (
            {
                kind: [n for m, n in names if m == kind and (n in TARGETS) is judged]
                for kind in ("text", "image")
            }
            for judged in (False, True)
        )
        print("benchmark tasks", "", *table(store, benchmarks), "", sep="\n")
        print("targets", "", *table(store, targets), "", sep="\n")
        for title, forgotten in SETTINGS.items():
            store.execute("BEGIN")
            store.execute(FORGET.format(forgotten=forgotten, targets=TARGETS))
            print(f"targets, {title}", "", *table(store, targets), "", sep="\n")
            store.execute("ROLLBACK")


if __name__ == "__main__":
    main()
