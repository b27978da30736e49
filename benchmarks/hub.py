"""Recall on a public hub's records: how much worse than the best the recalled models are, by prior.

    python benchmarks/hub.py --data DIR

DIR holds models.csv, results.csv and scores.csv (as `load_hub.sql` reads them). Full runs only, with missing
cells and the sparse dataset left in. Each dataset that has proxy scores is in turn the target: its results are
deleted before the models are clustered and recalled. Regret is the best score there less the best of the first k;
the models that were run there are the candidates.
"""

import argparse
import re
from collections.abc import Iterator
from math import comb
from pathlib import Path
from statistics import mean, stdev

import modelstore
from modelstore.options import PRIORS

TOPS = (1, 5, 10)
LOAD = """
INSERT INTO models (name, architecture, modality, parameters)
SELECT model, architecture, 'text', parameters FROM read_csv('{data}/models.csv');
INSERT INTO proxy_scores (model, dataset, proxy, score, seconds)
SELECT model, dataset, metric, score, seconds FROM read_csv('{data}/scores.csv');
CREATE TABLE runs AS SELECT model, dataset, accuracy AS score
FROM read_csv('{data}/results.csv') WHERE method = 'full';
CREATE TABLE scored AS SELECT DISTINCT model, dataset FROM proxy_scores WHERE proxy = 'logme';
"""
HOLD_OUT = """
DELETE FROM benchmark_results;
INSERT INTO benchmark_results (model, dataset, score, recipe) SELECT model, dataset, score, 'full' FROM ({known});
CREATE OR REPLACE TABLE candidates AS
SELECT model, avg(score) AS score FROM runs JOIN scored USING (model, dataset)
WHERE dataset = '{target}' GROUP BY model;
CLUSTER MODELS FROM candidates WITH (recipe = 'full');
"""
# What is known of the other datasets.
SETTINGS = {
    "all that is on record": "SELECT * FROM runs WHERE dataset <> '{target}'",
    "a third of the pairs missing": (
        "SELECT * FROM runs WHERE dataset <> '{target}' AND hash(model, dataset, {seed}) % 3 > 0"
    ),
    "five datasets known": (
        "SELECT * FROM runs WHERE dataset IN (SELECT dataset FROM runs WHERE dataset <> '{target}' GROUP BY dataset "
        "ORDER BY hash(dataset, {seed}) LIMIT 5)"
    ),
}
Regrets = list[float]


def regrets(store: modelstore.Connection, order: list[str]) -> Regrets:
    scores = dict(store.execute("SELECT model, score FROM candidates").fetchall())
    found = [scores[model] for model in order]
    return [max(scores.values()) - max(found[:k]) for k in TOPS]


def by_chance(store: modelstore.Connection) -> Regrets:
    """The expected regret of k models drawn at random."""
    scores = sorted(score for (score,) in store.execute("SELECT score FROM candidates").fetchall())
    n = len(scores)
    expected = (sum(s * comb(i, k - 1) for i, s in enumerate(scores)) / comb(n, k) for k in TOPS)
    return [scores[-1] - value for value in expected]


def rows_of(store: modelstore.Connection, target: str) -> Iterator[tuple[str, Regrets, int]]:
    """(method, regrets, models scored)."""
    yield "chance", by_chance(store), 0
    logme = store.execute(
        "SELECT model FROM candidates JOIN proxy_scores USING (model) WHERE dataset = ? AND proxy = 'logme' "
        "GROUP BY model ORDER BY avg(proxy_scores.score) DESC, model",
        [target],
    ).fetchall()
    yield "LogME of every model", regrets(store, [model for (model,) in logme]), len(logme)
    for prior in PRIORS:
        recall = (
            f"RECALL {max(TOPS)} MODELS FOR '{target}' FROM candidates USING logme "
            f"WITH (recipe = 'full', prior = '{prior}')"
        )
        order = [
            model for (model,) in store.execute(f"SELECT model FROM ({recall}) ORDER BY rank").fetchall()
        ]
        plan = " ".join(row[2] or "" for row in store.execute(f"EXPLAIN ANALYZE {recall}").fetchall())
        found = re.search(r"([\d,]+) scored", plan)
        name = "mean (the paper's formula)" if prior == "mean" else prior
        yield name, regrets(store, order), int(found[1].replace(",", "")) if found else 0


def table(store: modelstore.Connection, targets: list[str], known: str, seeds: int) -> Iterator[str]:
    found: dict[str, list[tuple[Regrets, int]]] = {}
    for seed in range(seeds):
        for target in targets:
            store.execute(HOLD_OUT.format(known=known.format(target=target, seed=seed), target=target))
            for name, regret, scored in rows_of(store, target):
                found.setdefault(name, []).append((regret, scored))
    heads = [f"top {k}" for k in TOPS]
    yield f"| ranking by | {' | '.join(heads)} | models scored |"
    yield "| --- |" + " --- |" * (len(TOPS) + 1)
    for name, rows in found.items():
        columns = list(zip(*(regret for regret, _ in rows), strict=True))
        cells = [f"{mean(column):.4f} ± {stdev(column) / len(targets) ** 0.5:.4f}" for column in columns]
        yield f"| {name} | {' | '.join(cells)} | {mean(scored for _, scored in rows):.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the three files")
    parser.add_argument("--seeds", type=int, default=3, help="draws of what is missing")
    given = parser.parse_args()
    with modelstore.connect() as store:
        store.execute(LOAD.format(data=given.data))
        targets = [
            name for (name,) in store.execute("SELECT DISTINCT dataset FROM scored ORDER BY 1").fetchall()
        ]
        for title, known in SETTINGS.items():
            seeds = given.seeds if "{seed}" in known else 1
            print(f"{title} ({len(targets)} targets, ± standard error over them)", "", sep="\n")
            print(*table(store, targets, known, seeds), "", sep="\n")


if __name__ == "__main__":
    main()
