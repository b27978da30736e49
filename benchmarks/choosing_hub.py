"""How well the normal-score prior recalls from a public hub's records, paired with the paper's prior.

    python benchmarks/choosing_hub.py --data DIR [--draws N]

DIR holds models.csv, results.csv and scores.csv, as `load_hub.sql` reads them. Full runs only, with missing cells and
the sparse dataset left in. Each dataset that has LogME scores is in turn the target; of the others all, or three
(--draws draws of them), are on record. Regret is the best score less the best of the first k, in standard deviations
of the target's scores, meaned over k = 1 … 10; ± is the standard error over the targets.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from recorded_curves import difference_and_error, mean_and_error

from modelstore.recall.best_chances import best_set
from modelstore.recall.coarse_recall import mean_scores
from modelstore.recall.combined_scores import features, learn_slopes
from modelstore.recall.normal_scores import normal_score_prior
from modelstore.recall.scoring_plan import models_to_score

Floats = NDArray[np.float64]


def read_matrix(folder: Path, sql: str) -> tuple[list[str], list[str], Floats]:
    rows = duckdb.execute(sql.format(folder=folder)).fetchall()
    models, datasets = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    matrix = np.full((len(models), len(datasets)), np.nan)
    for model, dataset, score in rows:
        matrix[models.index(model), datasets.index(dataset)] = score
    return models, datasets, matrix


def regret_of_first(order: NDArray[np.intp], truth: Floats) -> float:
    best = np.maximum.accumulate(truth[order[:10]])
    return float((truth.max() - best).mean() / truth.std())


def table(folder: Path, draws: int) -> Iterator[str]:
    models, datasets, scores = read_matrix(
        folder,
        "SELECT model, dataset, avg(accuracy) FROM '{folder}/results.csv' WHERE method = 'full' GROUP BY ALL",
    )
    scored_models, scored, proxies = read_matrix(
        folder,
        "SELECT model, dataset, avg(score) FROM '{folder}/scores.csv' WHERE metric = 'logme' GROUP BY ALL",
    )
    logme = np.full(scores.shape, np.nan)
    for place, model in enumerate(scored_models):
        if model in models:
            for column, dataset in enumerate(scored):
                if dataset in datasets:
                    logme[models.index(model), datasets.index(dataset)] = proxies[place, column]
    yield "| known | ranking | regret, standard deviations | less the mean's |"
    yield "| --- | --- | --- | --- |"
    for known in (None, 3):
        rows: dict[str, list[float]] = {}
        for target in (datasets.index(dataset) for dataset in scored if dataset in datasets):
            others = [one for one in range(len(datasets)) if one != target]
            regrets: dict[str, list[float]] = {}
            for draw in range(1 if known is None else draws):
                some = others
                if known:
                    some = sorted(np.random.default_rng([draw, target]).choice(others, known, replace=False))
                for name, order in orders(scores, logme, target, some).items():
                    truth = scores[np.isfinite(scores[:, target]), target]
                    regrets.setdefault(name, []).append(regret_of_first(order, truth))
            for name, values in regrets.items():
                rows.setdefault(name, []).append(float(np.mean(values)))
        by_mean = np.array(rows["mean"])
        for name, values in rows.items():
            difference = "" if name == "mean" else difference_and_error(np.array(values) - by_mean, 3)
            yield f"| {known or 'all'} | {name} | {mean_and_error(np.array(values), 3)} | {difference} |"


def orders(scores: Floats, logme: Floats, target: int, known: list[int]) -> dict[str, NDArray[np.intp]]:
    """The candidates on the target, best first, by each ranking."""
    candidates = np.isfinite(scores[:, target])
    others = scores[:, known]
    means = np.nan_to_num(mean_scores(others)[candidates], nan=-np.inf)
    prior = normal_score_prior(others)[candidates]
    proxy = logme[candidates, target]
    x = features(prior, proxy)
    scored = models_to_score(len(known))
    best = np.argsort(-prior, kind="stable")[:scored]
    of_best = np.full(len(proxy), np.nan)
    of_best[best] = proxy[best]
    few = features(prior, of_best)
    slopes = learn_slopes(others, logme[:, known])
    return {
        "mean": np.argsort(-means, kind="stable"),
        "normal scores": np.argsort(-prior, kind="stable"),
        f"normal scores, LogME of the best {scored}": np.argsort(-slopes.scores(few), kind="stable"),
        "normal scores, LogME of all": np.argsort(-slopes.scores(x), kind="stable"),
        "normal scores, LogME of all, greedy set": best_set(x, slopes, 10),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the three files")
    parser.add_argument("--draws", type=int, default=10, help="draws of the three datasets on record")
    given = parser.parse_args()
    print(*table(given.data, given.draws), sep="\n")


if __name__ == "__main__":
    main()
