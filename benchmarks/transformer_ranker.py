"""`RECALL … USING hscore` and `logme` beside TransformerRanker: seconds, and agreement with the fine-tuned scores.

    python -m venv RANKER && RANKER/bin/pip install transformer-ranker==0.2.0
    python benchmarks/transformer_ranker.py --models MODELS --data DATA --ranker RANKER/bin/python

MODELS is the zoo that zoo.py builds, DATA holds packages/*.parquet and images/*.parquet. Both sides score every text
model of the zoo (no cluster is known, so that none stands for another) on the same 600 training rows, cut at the same
number of tokens, in batches of the same size, on the CPU with one thread. They take turns, command by command, within
each task; a command is timed whole, with reading the rows and loading the models, but not the imports. Medians are
over the tasks. On a machine that does other work too, the processor's seconds say more than the clock's.
TransformerRanker runs as it does by default: the mean over words and layers, all rows.

"Clustered" is RECALL by the paper's formula: after CLUSTER MODELS (not timed: it does not know the task) on the
recorded results on the benchmark tasks, the task itself left out. It ranks the same models by recall score, but
passes the rows through the clusters' representatives alone, and it uses those results, which the other has not.

The true scores are the test scores of 4 epochs of fine-tuning in data/matrix.parquet. Agreement is the rank
correlation over the models (Spearman's ρ, Kendall's τ).
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # before torch is imported

import duckdb
import torch
from ranker_side import HERE, Scores, Seconds, ask, worker
from scipy.stats import kendalltau, spearmanr
from workplace import SCRIPTS, workplace

import modelstore

TARGETS = ("use", "suite", "section_en")
BENCHMARKS = ("role", "scope", "uitoolkit")
ESTIMATORS = {"hscore": "hscore", "logme": "logme", "hscore, logme": "both"}


class Ours:
    """A store that knows the zoo and the tasks, and no result until `learn` is called."""

    def __init__(self, database: str, batch_size: int, max_length: int):
        self.options = f"batch_size = {batch_size}, max_length = {max_length}, device = 'cpu'"
        self.connection = modelstore.connect(database)
        self.connection.execute("SET threads = 1")
        for script in ("models", "datasets"):
            self.connection.execute((SCRIPTS / f"{script}.sql").read_text())

    def learn(self, task: str) -> None:
        """Clusters the models by their recorded results on the benchmark tasks other than `task`."""
        self.connection.execute("DELETE FROM benchmark_results")
        self.connection.execute(
            "INSERT INTO benchmark_results BY NAME "
            f"FROM '{HERE}/data/matrix.parquet' WHERE dataset NOT IN {(*TARGETS, 'installed_size', task)}"
        )
        self.connection.execute("CLUSTER MODELS")

    def texts(self, task: str) -> dict[str, list[str]]:
        """The training rows of a task, as `datasets.sql` draws them."""
        query = f"SELECT text, label FROM drawn('data/packages/{task}.parquet') WHERE split = 'train' ORDER BY ALL"
        rows = self.connection.execute(query).fetchall()
        return {"texts": [row[0] for row in rows], "labels": [row[1] for row in rows]}

    def rank(self, task: str, proxies: str, models: list[str]) -> tuple[Seconds, Scores, dict[str, float]]:
        """Seconds, the proxies, and the recall scores by model."""
        self.connection.execute("DELETE FROM proxy_scores")
        among = ", ".join(f"'{model}'" for model in models)
        began, worked = time.perf_counter(), time.process_time()
        recalled = self.connection.execute(
            f"SELECT model, recall_score FROM (RECALL {len(models)} MODELS FOR {task} "
            f"WHERE name IN ({among}) USING {proxies} WITH (prior = 'mean', {self.options}))"
        ).fetchall()
        seconds = (time.perf_counter() - began, time.process_time() - worked)
        scores: Scores = {}
        stored = self.connection.execute("SELECT model, proxy, score FROM proxy_scores").fetchall()
        for model, proxy, score in stored:
            scores.setdefault(proxy, {})[model] = score
        return seconds, scores, dict(recalled)


class Theirs:
    """TransformerRanker, given copies of the models that cut texts at `max_length`."""

    def __init__(self, process: subprocess.Popen[str], log: str, batch_size: int, max_length: int):
        self.process, self.log, self.batch_size = process, log, batch_size
        for model in Path("models").iterdir():
            copy = Path("cut") / model.name
            copy.mkdir(parents=True)
            for file in model.iterdir():
                (copy / file.name).symlink_to(file.resolve())
            settings = copy / "tokenizer_config.json"
            if settings.exists():
                stated = json.loads(settings.read_text())
                settings.unlink()
                stated["model_max_length"] = min(max_length, stated["model_max_length"])
                settings.write_text(json.dumps(stated))

    def rank(self, rows: dict[str, list[str]], estimator: str, models: list[str]) -> tuple[Seconds, Scores]:
        request = {
            **rows,
            "models": [f"cut/{model}" for model in models],
            "estimator": estimator,
            "batch_size": self.batch_size,
            "device": "cpu",
        }
        return ask(self.process, request, self.log)


def agreement(scores: dict[str, float], truth: dict[str, float]) -> tuple[float, float]:
    """Spearman's ρ and Kendall's τ over the models."""
    pairs = [(scores[model], truth[model]) for model in truth]
    found, true = zip(*pairs, strict=True)
    return float(spearmanr(found, true).statistic), float(kendalltau(found, true).statistic)


def line(name: str, theirs: Sequence[Seconds], ours: Sequence[Seconds]) -> str:
    """Medians of both sides' seconds and of their ratios, clock and processor each."""
    cells = []
    for kind in (0, 1):
        base, found = [one[kind] for one in theirs], [one[kind] for one in ours]
        ratio = statistics.median(a / b for a, b in zip(base, found, strict=True))
        cells.append(f"{statistics.median(base):.1f} | {statistics.median(found):.1f} | {ratio:.1f}")
    return f"| {name} | {' | '.join(cells)} |"


def compare(
    ours: Ours,
    clustered: Ours,
    theirs: Theirs,
    tasks: list[str],
    rounds: int,
    truth: dict[str, dict[str, float]],
) -> None:
    times: dict[tuple[str, str], list[Seconds]] = {}
    agreements: dict[tuple[str, str], list[tuple[float, float]]] = {}
    print("| task, proxies | TransformerRanker s | RECALL s | ratio | its CPU s | our CPU s | ratio |")
    print("| --- " * 7 + "|")
    for number, task in enumerate(tasks):
        models, rows = sorted(truth[task]), ours.texts(task)
        if not number:  # what is loaded when first needed
            ours.rank(task, "hscore, logme", models[:1])
            clustered.rank(task, "hscore, logme", models[:1])
            theirs.rank(rows, "both", models[:1])
        clustered.learn(task)
        known: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for proxies, estimator in ESTIMATORS.items():
                base, scores_theirs = theirs.rank(rows, estimator, models)
                seconds, scores_ours, _ = ours.rank(task, proxies, models)
                fewer, _, known[proxies] = clustered.rank(task, proxies, models)
                times.setdefault(("theirs", proxies), []).append(base)
                times.setdefault(("ours", proxies), []).append(seconds)
                times.setdefault(("clustered", proxies), []).append(fewer)
                print(line(f"{task}, {proxies}", [base], [seconds]), flush=True)
                print(line(f"{task}, {proxies}, clustered", [base], [fewer]), flush=True)
        for side, scores in (("theirs", scores_theirs), ("ours", scores_ours), ("clustered", known)):
            for proxy, of in scores.items():
                agreements.setdefault((side, proxy), []).append(agreement(of, truth[task]))
    for proxies in ESTIMATORS:
        name = "median" + (", one pass for both on either side" if "," in proxies else "")
        print(line(f"{name}, {proxies}", times["theirs", proxies], times["ours", proxies]))
        print(line(f"median, {proxies}, clustered", times["theirs", proxies], times["clustered", proxies]))
    two = [
        (one[0] + other[0], one[1] + other[1])
        for one, other in zip(times["theirs", "hscore"], times["theirs", "logme"], strict=True)
    ]
    print(line("median, its two commands, our one for both", two, times["ours", "hscore, logme"]))

    print("\n| ρ / τ with the fine-tuned scores | " + " | ".join(tasks) + " | mean |")
    print("| --- " * (len(tasks) + 2) + "|")
    for (side, proxy), found in sorted(agreements.items(), key=lambda item: item[0][::-1]):
        name = {"ours": "RECALL", "theirs": "TransformerRanker", "clustered": "RECALL, clustered"}[side]
        means = (statistics.mean(column) for column in zip(*found, strict=True))
        cells = [f"{rho:.2f} / {tau:.2f}" for rho, tau in [*found, tuple(means)]]
        print(f"| {proxy}, {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--ranker", type=Path, required=True, help="Python of TransformerRanker's environment"
    )
    parser.add_argument("--tasks", nargs="+", default=[*TARGETS, *BENCHMARKS])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=48, help="as the true scores were trained (48)")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ranker = arguments.ranker.absolute()  # not resolved: a virtual environment's Python is a link
    truth: dict[str, dict[str, Any]] = {}
    matrix = duckdb.read_parquet(str(HERE / "data" / "matrix.parquet")).select("dataset, model, score")
    for task, model, score in matrix.fetchall():
        truth.setdefault(task, {})[model] = score
    with (
        workplace(arguments.models, arguments.data),
        open("ranker.log", "w") as log,
        worker(ranker, log) as process,
    ):
        ours = Ours("plain.db", arguments.batch_size, arguments.max_length)
        clustered = Ours("clustered.db", arguments.batch_size, arguments.max_length)
        theirs = Theirs(process, log.name, arguments.batch_size, arguments.max_length)
        try:
            compare(ours, clustered, theirs, arguments.tasks, arguments.rounds, truth)
        finally:
            ours.connection.close()
            clustered.connection.close()


if __name__ == "__main__":
    main()
