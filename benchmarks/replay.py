"""Every strategy with every prior on the validation run's recorded curves, kept in benchmarks/data, at no cost.

    python benchmarks/replay.py

`COMPARE STRATEGIES` selects for each dataset as if it were new; `two_phase` recalls a quarter of the models. The
first table is of the 15 benchmark tasks, on which a strategy's parameters may be chosen; the second of the 6 targets,
on which they are then judged; the others are of the targets when less is known of the benchmark tasks. Regret is the
best final test score of any model less the chosen one's: brute force has one too, since it chooses by noisy
validation.
Each seed that a dataset was trained with is replayed; the standard error is over the datasets, of the means over
their seeds. Where the records do not have what a strategy needs, its row says so.
"""

from collections.abc import Iterator
from pathlib import Path

import modelstore
from modelstore.options import PRIORS, STRATEGIES

DATA = Path(__file__).parent / "data"
TARGETS = ("icon_category", "installed_size", "letter", "section_en", "suite", "use")
LOAD = """
INSERT INTO models (name, modality, architecture, parameters) FROM '{data}/models.parquet';
INSERT INTO datasets (name, task, metric, modality, train_rows, validation_rows, test_rows)
FROM '{data}/datasets.parquet';
INSERT INTO recipes (name, options) VALUES ('validation', '{{"epochs": 4, "batch_size": 16}}');
INSERT INTO benchmark_results (model, dataset, metric, score, epochs, seconds, seed, recipe)
SELECT *, 'validation' FROM '{data}/matrix.parquet' WHERE dataset NOT IN {targets};
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, train_loss, seconds, seed, recipe)
SELECT *, 'validation' FROM '{data}/curves.parquet';
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
SELECT {seed} AS seed, *
FROM (COMPARE STRATEGIES {strategy} ON {names}
      WITH (recipe = 'validation', prior = '{prior}', seed = {seed}{recall}))
"""
SUMMARY = """
WITH replayed AS ({replayed}),
of_dataset AS (SELECT avg(epochs) AS epochs, avg(regret) AS regret FROM replayed GROUP BY dataset),
of_seed AS (SELECT avg(regret) AS regret FROM replayed GROUP BY seed)
SELECT avg(epochs), avg(regret), stddev_samp(regret) / sqrt(count(*)), (SELECT stddev_samp(regret) FROM of_seed)
FROM of_dataset
"""
SEEDS = """
SELECT seed FROM training_curves WHERE list_contains(?, dataset)
GROUP BY seed HAVING count(DISTINCT dataset) = len(?) ORDER BY seed
"""
RECALLED = {"text": 6, "image": 2}


def cells(store: modelstore.Connection, strategy: str, prior: str, datasets: dict[str, list[str]]) -> str:
    """Epochs, regret, its standard error over the datasets, and its deviation over the seeds that all have."""
    everyone = [name for names in datasets.values() for name in names]
    seeds = store.execute(SEEDS, [everyone, everyone]).fetchall()
    replayed = "UNION ALL".join(
        REPLAYED.format(
            seed=seed,
            strategy=strategy,
            prior=prior,
            names=", ".join(names),
            recall=f", recall = {RECALLED[modality]}" if strategy == "two_phase" else "",
        )
        for modality, names in datasets.items()
        for (seed,) in seeds
    )
    try:
        [(*found, over_seeds)] = store.execute(SUMMARY.format(replayed=replayed)).fetchall()
    except modelstore.MissingRecordError:
        return "scores are missing | | |"
    return "{:.1f} | {:.4f} | {:.4f} | ".format(*found) + ("" if over_seeds is None else f"{over_seeds:.4f}")


def table(store: modelstore.Connection, datasets: dict[str, list[str]]) -> Iterator[str]:
    yield "| strategy | prior | epochs | regret | standard error | over seeds |"
    yield "| --- | --- | --- | --- | --- | --- |"
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
