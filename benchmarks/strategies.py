"""What every strategy costs and how well it chooses, by replay of the recorded curves in benchmarks/data.

    python benchmarks/strategies.py [--plot FILE.svg]

Each dataset in turn is selected for as if it were new, once with each seed that it was trained with: its runs are
walked. Regret is the best final test score of any model with that seed less the chosen one's; epochs are those of
training, with half an epoch a scored model. Of a dataset's seeds the mean is taken; ± is then the standard error over
the datasets, and where all have several seeds, the standard deviation over them of the mean. What a strategy has to
be told (the bounds of probability_of_improvement) was chosen on the benchmark tasks, of which alone is anything on
record there; the targets are then judged by it. `recalled` are the best by acc(m), a quarter or ten of the models,
since the benchmark tasks have no proxy scores on record; on the targets two_phase has its own recall.
"""

import argparse
from collections.abc import Iterator
from statistics import mean, stdev

import numpy as np
from replay import DATA, LOAD, TARGETS

import modelstore
from modelstore.options import RecipeOptions
from modelstore.planner.recipes import Recipe
from modelstore.planner.select.arms import Arms
from modelstore.planner.select.forecasts import PooledPredictions
from modelstore.records import CurvePoint
from modelstore.store import Store

FINALS = """
CREATE TEMP TABLE finals AS SELECT model, dataset, seed, test FROM training_curves
QUALIFY row_number() OVER (PARTITION BY model, dataset, seed ORDER BY validation DESC, epoch) = 1
"""
EPOCHS = 4
BUDGETS = (5, 10, 20, 40)
HEADINGS = ("benchmark tasks", "targets")
ONLINE = (
    "value_of_information",
    "two_phase",
    "fine_selection",
    "successive_halving",
    "probability_of_improvement",
)
# (strategy, how many are recalled by acc(m) before it: a share, a number or None for all, stages an epoch or None
# for those of the strategy)
PLANS = (
    ("value_of_information", None, None),
    ("brute_force", None, 1),
    ("successive_halving", None, 1),
    ("successive_halving", None, 4),
    ("fine_selection", None, 1),
    ("fine_selection", None, 4),
    ("fine_selection", 10, 1),
    ("fine_selection", 0.25, 1),
    ("probability_of_improvement", None, 1),
    ("probability_of_improvement", None, 2),
    ("probability_of_improvement", None, 4),
    ("probability_of_improvement", 10, 4),
    ("two_phase", 10, 1),
    ("two_phase", 0.25, 1),
)
Outcome = tuple[float, float]  # regret, epochs
Run = tuple[str, int]  # a dataset and a seed


def open_store(targets: bool) -> modelstore.Connection:
    """The recorded runs; without those of the targets, so that nothing is learned of them, unless they are meant."""
    store = modelstore.connect()
    store.execute(LOAD.format(data=DATA, targets=TARGETS))
    if not targets:
        store.execute(f"DELETE FROM training_curves WHERE dataset IN {TARGETS}")
    store.execute(FINALS)
    return store


def replay(
    store: modelstore.Connection, run: Run, plan: tuple[str, float | None, int | None], options: str = ""
) -> Outcome:
    """One selection."""
    dataset, seed = run
    strategy, recalled, stages = plan
    finals = dict(
        store.execute("SELECT model, test FROM finals WHERE dataset = ? AND seed = ?", [*run]).fetchall()
    )
    models = len(finals)
    count = models if recalled is None else int(models * recalled) if recalled < 1 else int(recalled)
    having = f"SELECT model FROM finals WHERE dataset = '{dataset}' AND seed = {seed}"
    if strategy != "two_phase" and count < models:
        having = (
            f"SELECT model FROM performance_matrix WHERE dataset <> '{dataset}' AND model IN ({having}) "
            f"GROUP BY model ORDER BY avg(score) DESC LIMIT {count}"
        )
    given = f"recipe = 'validation', executor = 'replay', seed = {seed}"
    given += "" if stages is None else f", stages_per_epoch = {stages}"
    given += f", recall = {count}" if strategy == "two_phase" else ""
    [row] = store.execute(
        f"SELECT BEST MODEL FOR {dataset} FROM ({having}) USING {strategy} WITH ({given}{options})"
    ).fetchall()
    [(epochs,)] = store.execute("SELECT epochs FROM selections WHERE id = ?", [row[8]]).fetchall()
    return max(finals.values()) - row[4], epochs


def title(plan: tuple[str, float | None, int | None]) -> str:
    strategy, recalled, stages = plan
    whom = "" if recalled is None else f", recalled {'a quarter' if recalled < 1 else int(recalled)}"
    length = "that grow" if stages is None else "of an epoch" if stages == 1 else f"of 1/{stages}"
    return f"{strategy}{whom}, stages {length}"


def summary(found: dict[Run, Outcome]) -> tuple[float, float, float, float | None]:
    """Mean epochs and regret, the latter's standard error over datasets, and its deviation over seeds if several."""
    of_dataset: dict[str, dict[int, Outcome]] = {}
    for (dataset, seed), outcome in found.items():
        of_dataset.setdefault(dataset, {})[seed] = outcome
    epochs, regrets = (
        [mean(outcome[column] for outcome in seeds.values()) for seeds in of_dataset.values()]
        for column in (1, 0)
    )
    common = set.intersection(*(set(seeds) for seeds in of_dataset.values()))
    by_seed = [mean(seeds[seed][0] for seeds in of_dataset.values()) for seed in common]
    over_seeds = stdev(by_seed) if len(by_seed) > 1 else None
    return mean(epochs), mean(regrets), stdev(regrets) / len(regrets) ** 0.5, over_seeds


def cells(found: dict[Run, Outcome] | None) -> str:
    if found is None:
        return "| | "
    epochs, regret, error, over_seeds = summary(found)
    seeds = "" if over_seeds is None else f" ± {over_seeds:.4f}"
    return f"| {epochs:.1f} | {regret:.4f} ± {error:.4f}{seeds} "


def outcomes(
    store: modelstore.Connection, runs: list[Run], scored: bool
) -> Iterator[tuple[str, dict[Run, Outcome]]]:
    """Of every plan, and of those within every budget; two_phase where models are ``scored``."""
    for plan in PLANS:
        if scored or plan[0] != "two_phase":
            yield title(plan), {run: replay(store, run, plan) for run in runs}
    for strategy in ONLINE:
        if strategy == "two_phase" and not scored:
            continue
        stages = {"probability_of_improvement": 4, "value_of_information": None}.get(strategy, 1)
        for budget in BUDGETS:
            plan = (strategy, 10 if strategy == "two_phase" else None, stages)
            found = {run: replay(store, run, plan, f", budget_epochs = {budget}") for run in runs}
            assert max(epochs for _, epochs in found.values()) <= budget, "a budget was exceeded"
            yield f"{title(plan)}, budget {budget}", found


def coverage(store: modelstore.Connection, datasets: list[str]) -> Iterator[str]:
    """How often a final score of seed 0 is within what was predicted for it, each dataset held out."""
    records = Store(store._duckdb)
    yield "| after epoch | within 50 % | within 90 % | mean error | of the validation score |"
    yield "| --- | --- | --- | --- | --- |"
    arms = Arms([Recipe("validation", "validation", "validation", RecipeOptions())])
    predictors = {
        name: PooledPredictions(records, arms, name, records.catalog.find_dataset(name), EPOCHS, "best")
        for name in datasets
    }
    for stage in (1, 2, 4, 8, 12, 16):
        errors, scaled, naive = [], [], []
        for name, predictor in predictors.items():
            curves: dict[str, list[CurvePoint]] = {}
            rows = store.execute(
                "SELECT model, stage, epoch, validation FROM training_curves "
                "WHERE dataset = ? AND stage <= ? AND seed = 0 ORDER BY ALL",
                [name, stage],
            ).fetchall()
            for model, number, epoch, validation in rows:
                curves.setdefault(model, []).append(CurvePoint(number, epoch, validation, None, 0.0, 0.0))
            finals = dict(
                store.execute(
                    "SELECT model, test FROM finals WHERE dataset = ? AND seed = 0", [name]
                ).fetchall()
            )
            for model, forecast in predictor.forecasts(curves).items():
                errors.append(abs(finals[model] - forecast.mean))
                scaled.append(errors[-1] / forecast.spread)
                naive.append(abs(finals[model] - curves[model][-1].validation))
        within = np.array(scaled)
        yield (
            f"| {stage / 4:g} | {(within < 0.674).mean():.2f} | {(within < 1.645).mean():.2f} | "
            f"{mean(errors):.4f} | {mean(naive):.4f} |"
        )


def plot(path: str, found: dict[str, list[dict[Run, Outcome] | None]]) -> None:
    """Mean regret against mean epochs, with the standard error over the datasets; skipped without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("the plot is left out: it needs matplotlib")
        return
    figure = Figure(figsize=(13, 6))
    for axes, heading, column in zip(figure.subplots(1, 2, sharey=True), HEADINGS, (0, 1), strict=True):
        groups: dict[str, list[tuple[float, float, float]]] = {}
        for name, both in found.items():
            one, strategy = both[column], name.split(", ")[0]
            if one is not None:
                group = f"{strategy}{', budgets' if 'budget' in name else ''}"
                groups.setdefault(group, []).append(summary(one)[:3])
        for group, points in groups.items():
            epochs, regrets, errors = zip(*sorted(points), strict=True)
            style = "o-" if "budget" in group else "o"
            axes.errorbar(epochs, regrets, errors, label=group, fmt=style, elinewidth=0.5)
        axes.set(xlabel="epochs", ylabel="mean regret", xscale="log", title=heading)
    axes.legend()
    figure.savefig(path, format="svg")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", metavar="FILE.svg", help="regret against cost")
    arguments = parser.parse_args()
    found: dict[str, list[dict[Run, Outcome] | None]] = {}
    covered = []
    for column in (0, 1):
        with open_store(targets=column == 1) as store:
            runs = [
                (dataset, seed)
                for dataset, seed in store.execute(
                    "SELECT DISTINCT dataset, seed FROM finals ORDER BY ALL"
                ).fetchall()
                if (dataset in TARGETS) == (column == 1)
            ]
            for name, outcome in outcomes(store, runs, scored=column == 1):
                found.setdefault(name, [None, None])[column] = outcome
            covered.append(list(coverage(store, sorted({dataset for dataset, _ in runs}))))
    print(f"| strategy | epochs | regret, {HEADINGS[0]} | epochs | regret, {HEADINGS[1]} |")
    print("| --- | --: | --- | --: | --- |")
    for name, both in found.items():
        print(f"| {name} {cells(both[0])}{cells(both[1])}|")
    for heading, lines in zip(HEADINGS, covered, strict=True):
        print("", f"how often a forecast holds, {heading}", "", *lines, sep="\n")
    if arguments.plot:
        plot(arguments.plot, found)


if __name__ == "__main__":
    main()
