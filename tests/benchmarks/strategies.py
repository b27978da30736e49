"""What every strategy costs and how well it chooses, by replay of the recorded curves in tests/benchmarks/data.

    python tests/benchmarks/strategies.py [--plot FILE.svg]

Each dataset in turn is selected for as if it were new. Regret is the best final test score of any model less the
chosen one's; epochs are those of training, with half an epoch a scored model. What a strategy has to be told (the
bounds of probability_of_improvement) was chosen on the 15 benchmark tasks, of which alone is
anything on record there; the 6 targets are then judged by it. `recalled` are the best by acc(m), a quarter or ten of
the models, since the benchmark tasks have no proxy scores on record; on the targets two_phase has them.
"""

import argparse
from collections.abc import Iterator
from statistics import mean, stdev

import numpy as np
from replay import DATA, LOAD, TARGETS

import modelstore
from modelstore.engine.run import CurvePoint
from modelstore.planner.predicting import PooledPredictions
from modelstore.store import Store

EPOCHS = 4
BUDGETS = (5, 10, 20, 40)
ONLINE = ("two_phase", "fine_selection", "successive_halving", "probability_of_improvement")
# (strategy, how many are recalled by acc(m) before it: a share, a number or None for all, stages an epoch)
PLANS = (
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
Outcome = tuple[float, float]


def open_store(targets: bool) -> modelstore.Connection:
    """The recorded runs; without those of the targets, so that nothing is learned of them, unless they are meant."""
    store = modelstore.connect()
    store.execute(LOAD.format(data=DATA, targets=TARGETS))
    if not targets:
        store.execute(f"DELETE FROM training_curves WHERE dataset IN {TARGETS}")
    return store


def replay(
    store: modelstore.Connection, dataset: str, plan: tuple[str, float | None, int], options: str = ""
) -> Outcome:
    """The regret and the epochs of one selection."""
    strategy, recalled, stages = plan
    [(models, best)] = store.execute(
        "SELECT count(*), max(test) FROM finals WHERE dataset = ?", [dataset]
    ).fetchall()
    count = models if recalled is None else int(models * recalled) if recalled < 1 else int(recalled)
    source = ""
    if strategy != "two_phase" and count < models:
        source = (
            f"FROM (SELECT model FROM performance_matrix WHERE dataset <> '{dataset}' AND model IN "
            f"(SELECT model FROM finals WHERE dataset = '{dataset}') GROUP BY model "
            f"ORDER BY avg(score) DESC LIMIT {count})"
        )
    given = f"executor = 'replay', epochs = {EPOCHS}, stages_per_epoch = {stages}, recall = {count}{options}"
    [row] = store.execute(
        f"SELECT BEST MODEL FOR {dataset} {source} USING {strategy} WITH ({given})"
    ).fetchall()
    [(final,)] = store.execute(
        "SELECT test FROM finals WHERE dataset = ? AND model = ?", [dataset, row[1]]
    ).fetchall()
    # Of a winner that was not trained to the end, the test score is the one that it has.
    [(epochs,)] = store.execute("SELECT epochs FROM selections WHERE id = ?", [row[7]]).fetchall()
    return best - (final if row[4] == EPOCHS else row[3]), epochs


def title(plan: tuple[str, float | None, int]) -> str:
    strategy, recalled, stages = plan
    whom = "" if recalled is None else f", recalled {'a quarter' if recalled < 1 else int(recalled)}"
    return f"{strategy}{whom}, stages of {'an epoch' if stages == 1 else f'1/{stages}'}"


def line(name: str, found: list[Outcome]) -> str:
    regrets = [regret for regret, _ in found]
    error = stdev(regrets) / len(regrets) ** 0.5
    return f"| {name} | {mean(e for _, e in found):.1f} | {mean(regrets):.4f} ± {error:.4f} |"


def table(
    store: modelstore.Connection, datasets: list[str], scored: bool
) -> Iterator[tuple[str, list[Outcome]]]:
    for plan in PLANS:
        if scored or plan[0] != "two_phase":
            yield title(plan), [replay(store, dataset, plan) for dataset in datasets]


def budgets(
    store: modelstore.Connection, datasets: list[str], scored: bool
) -> Iterator[tuple[str, list[Outcome]]]:
    for strategy in ONLINE:
        if strategy == "two_phase" and not scored:
            continue
        stages = 4 if strategy == "probability_of_improvement" else 1
        for budget in BUDGETS:
            plan = (strategy, 10 if strategy == "two_phase" else None, stages)
            found = [replay(store, dataset, plan, f", budget_epochs = {budget}") for dataset in datasets]
            assert max(epochs for _, epochs in found) <= budget, "a budget was exceeded"
            yield f"{title(plan)}, budget {budget}", found


def coverage(store: modelstore.Connection, datasets: list[str]) -> Iterator[str]:
    """How often a final score is within what was predicted for it, each dataset held out."""
    records = Store(store._duckdb)
    yield "| after epoch | within 50 % | within 90 % | mean error | of the validation score |"
    yield "| --- | --- | --- | --- | --- |"
    predictors = {
        name: PooledPredictions(records, "default", name, records.catalog.find_dataset(name), EPOCHS)
        for name in datasets
    }
    for stage in (1, 2, 4, 8, 12, 16):
        errors, scaled, naive = [], [], []
        for name, predictor in predictors.items():
            curves: dict[str, list[CurvePoint]] = {}
            rows = store.execute(
                "SELECT model, stage, epoch, validation FROM training_curves "
                "WHERE dataset = ? AND stage <= ? ORDER BY ALL",
                [name, stage],
            ).fetchall()
            for model, number, epoch, validation in rows:
                curves.setdefault(model, []).append(CurvePoint(number, epoch, validation, None, 0.0, 0.0))
            finals = dict(
                store.execute("SELECT model, test FROM finals WHERE dataset = ?", [name]).fetchall()
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


def plot(path: str, points: dict[str, tuple[float, float]]) -> None:
    """Mean regret against mean epochs; skipped without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("the plot is left out: it needs matplotlib")
        return
    figure = Figure(figsize=(9, 6))
    axes = figure.subplots()
    groups: dict[str, list[tuple[float, float]]] = {}
    for name, point in points.items():
        strategy, *_ = name.split(", ")
        groups.setdefault(f"{strategy}{', budgets' if 'budget' in name else ''}", []).append(point)
    for group, found in groups.items():
        marks = {"marker": "o", "linestyle": "-" if "budget" in group else ""}
        axes.plot(*zip(*sorted(found), strict=True), label=group, **marks)
    axes.set(xlabel="epochs", ylabel="mean regret", xscale="log")
    axes.legend()
    figure.savefig(path, format="svg")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", metavar="FILE.svg", help="regret against cost on the benchmark tasks")
    arguments = parser.parse_args()
    points: dict[str, tuple[float, float]] = {}
    for targets in (False, True):
        with open_store(targets) as store:
            names = [name for (name,) in store.execute("SELECT name FROM datasets ORDER BY name").fetchall()]
            datasets = [name for name in names if (name in TARGETS) == targets]
            print(f"\n{len(datasets)} {'targets' if targets else 'benchmark tasks'}\n")
            for rows in (table, budgets):
                print("| strategy | epochs | regret |", "| --- | --- | --- |", sep="\n")
                for name, found in rows(store, datasets, targets):
                    print(line(name, found), flush=True)
                    if not targets:
                        points[name] = (mean(e for _, e in found), mean(r for r, _ in found))
                print()
            print(*coverage(store, datasets), sep="\n")
    if arguments.plot:
        plot(arguments.plot, points)


if __name__ == "__main__":
    main()
