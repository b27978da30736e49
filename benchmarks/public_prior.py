"""How well RECALL ranks the public encoders for a dataset that it has no results on, beside guesses without records.

    python benchmarks/public_prior.py

Each of the 121 datasets of the records `euroeval` is in turn the target, and the models that have a result on it are
the candidates. On record are the results on all other datasets, or those of other languages alone. Nothing is scored
by a proxy: the statement RECALL ranks by the prior. The guesses are the largest models first, a model that everybody
knows and then the largest, the best mean of the other scores first, and chance (the mean of --shuffles orders). By
downloads nobody can guess here, as the source has none.

A model is as good as the best if it is within the noise: their scores differ by at most √(a² + b²) for half 95 %
intervals a and b. Figures are means over languages of the means over their datasets, ± standard errors over the
languages; differences are paired by language.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from recorded_curves import difference_and_error, mean_and_error

import modelstore
from modelstore.progress import unseen
from modelstore.public import RECORDS

Floats = NDArray[np.float64]
FIRST = (1, 5, 10)
RECALL = "RECALL by the prior"
KNOWN = "FacebookAI/xlm-roberta-large"  # 560 million parameters, of 2019, in 100 languages


@dataclass(frozen=True)
class Target:
    """A dataset that is held out; arrays have an item for each of its models."""

    dataset: str
    language: str
    models: tuple[str, ...]
    scores: Floats
    intervals: Floats
    parameters: Floats


@dataclass(frozen=True)
class Judged:
    """What an order is worth on a target.

    Attributes
    ----------
    regrets
        The best score less the best of the first k, for each k of `FIRST`.
    found
        Whether one of the first k is as good as the best.
    place
        The place, from 1, of the first model that is as good as the best.
    """

    regrets: Floats
    found: Floats
    place: float


def targets() -> list[Target]:
    table = RECORDS["euroeval"].read().to_pandas()
    return [
        Target(
            dataset,
            rows.language.iloc[0],
            tuple(rows.model),
            rows.score.to_numpy(),
            rows.interval.to_numpy(),
            rows.parameters.to_numpy(float),
        )
        for dataset, rows in table.groupby("dataset")
    ]


def judge(target: Target, order: Sequence[int]) -> Judged:
    """``order`` has the places of the target's models, best first."""
    best = int(np.argmax(target.scores))
    noise = np.hypot(target.intervals, target.intervals[best])
    as_good = (target.scores[best] - target.scores <= noise)[list(order)]
    reached = np.maximum.accumulate(target.scores[list(order)])
    last = [min(k, len(order)) - 1 for k in FIRST]
    return Judged(
        target.scores[best] - reached[last],
        np.logical_or.accumulate(as_good)[last].astype(float),
        float(np.argmax(as_good)) + 1,
    )


def largest_first(target: Target) -> list[int]:
    return np.argsort(-target.parameters, kind="stable").tolist()


def known_first(target: Target) -> list[int]:
    return sorted(largest_first(target), key=lambda place: target.models[place] != KNOWN)


def chance(target: Target, shuffles: int) -> Judged:
    random = np.random.default_rng(0)
    judged = [judge(target, random.permutation(len(target.models)).tolist()) for _ in range(shuffles)]
    return Judged(
        np.mean([one.regrets for one in judged], axis=0),
        np.mean([one.found for one in judged], axis=0),
        float(np.mean([one.place for one in judged])),
    )


class Recalls:
    """The statement's orders, from a store with the public records."""

    def __init__(self, everything: Sequence[Target]):
        self._store = modelstore.connect()
        self._store.execute("IMPORT RECORDS euroeval")
        self._store.execute(
            "CREATE TABLE languages AS SELECT UNNEST($datasets) AS dataset, UNNEST($languages) AS language",
            {
                "datasets": [one.dataset for one in everything],
                "languages": [one.language for one in everything],
            },
        )
        # A target need not be registered where there are proxy scores on it, be they of no candidate.
        self._store.execute(
            "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT 'none', dataset, 'leep', 0 FROM languages"
        )
        self._store.execute(
            "INSERT INTO benchmark_results (model, dataset, score, recipe) "
            "SELECT model, dataset, score, 'without ' || target.language FROM benchmark_results "
            "JOIN languages USING (dataset) JOIN (SELECT DISTINCT language FROM languages) AS target "
            "ON languages.language <> target.language"
        )

    def order(self, target: Target, recipe: str) -> list[int]:
        """The places of the target's models, best first."""
        candidates = "SELECT model FROM benchmark_results WHERE recipe = 'euroeval' AND dataset = $dataset"
        with unseen():
            rows = self._store.execute(
                f"RECALL {len(target.models)} MODELS FOR $dataset FROM ({candidates}) WITH (recipe = $recipe)",
                {"dataset": target.dataset, "recipe": recipe},
            ).fetchall()
        return [target.models.index(model) for _, model, *_ in rows]

    def means(self, target: Target, recipe: str) -> list[int]:
        """The order by the mean of the scores on other datasets."""
        found = dict(
            self._store.execute(
                "SELECT model, avg(score) FROM benchmark_results WHERE recipe = ? AND dataset <> ? GROUP BY model",
                [recipe, target.dataset],
            ).fetchall()
        )
        scores = np.array([found.get(model, -np.inf) for model in target.models])
        return np.argsort(-scores, kind="stable").tolist()


def by_language(everything: Sequence[Target], values: Sequence[float]) -> Floats:
    """The mean of each language's values, in the order of the languages."""
    languages = np.array([target.language for target in everything])
    return np.array([np.mean(np.array(values)[languages == one]) for one in np.unique(languages)])


def table(everything: Sequence[Target], judged: Mapping[str, Sequence[Judged]]) -> Iterator[str]:
    heads = [f"regret of first {k}" for k in FIRST] + [f"as good among first {k}" for k in FIRST]
    yield f"| ranking by | {' | '.join(heads)} | place of the first as good |"
    yield "| --- |" + " --: |" * (len(heads) + 1)
    for name, of_targets in judged.items():
        cells = [
            mean_and_error(by_language(everything, [one.regrets[place] for one in of_targets]), 3)
            for place in range(len(FIRST))
        ]
        cells += [
            mean_and_error(by_language(everything, [one.found[place] for one in of_targets]), 2)
            for place in range(len(FIRST))
        ]
        cells.append(mean_and_error(by_language(everything, [one.place for one in of_targets]), 1))
        yield f"| {name} | {' | '.join(cells)} |"


def differences(everything: Sequence[Target], judged: Mapping[str, Sequence[Judged]]) -> Iterator[str]:
    yield "| RECALL's regret less that by | " + " | ".join(f"first {k}" for k in FIRST) + " |"
    yield "| --- |" + " --: |" * len(FIRST)
    mine = judged[RECALL]
    for name, of_targets in judged.items():
        if name != RECALL:
            pairs = list(zip(mine, of_targets, strict=True))
            cells = [
                difference_and_error(
                    by_language(everything, [a.regrets[place] - b.regrets[place] for a, b in pairs]), 3
                )
                for place in range(len(FIRST))
            ]
            yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shuffles", type=int, default=200, help="orders that chance is the mean of")
    given = parser.parse_args()
    everything = targets()
    recalls = Recalls(everything)
    guesses = {
        "parameters, largest first": [judge(one, largest_first(one)) for one in everything],
        "xlm-roberta-large, then the largest": [judge(one, known_first(one)) for one in everything],
        "chance": [chance(one, given.shuffles) for one in everything],
    }
    for title, recipe in (("all other datasets", "euroeval"), ("other languages alone", "without {}")):
        judged = {
            RECALL: [judge(one, recalls.order(one, recipe.format(one.language))) for one in everything],
            "mean of the other scores": [
                judge(one, recalls.means(one, recipe.format(one.language))) for one in everything
            ],
            **guesses,
        }
        print(f"\nOn record: {title}\n", *table(everything, judged), sep="\n")
        print("", *differences(everything, judged), sep="\n")


if __name__ == "__main__":
    main()
