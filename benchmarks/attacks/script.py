"""A script with every kind of statement that writes, the store that it begins with, and what the store then holds."""

import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import modelstore
from attacks.watched import processes
from modelstore.execution.client import RemoteRun
from modelstore.execution.pool import worker_pool
from modelstore.libraries import quiet
from modelstore.planner.benchmark import checkpoint
from modelstore.records import CurvePoint
from modelstore.training.finetune import FineTuning

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import tiny_models

MODELS = ("bert", "distilbert", "albert")
OPTIONS = (
    "recipe = 'tiny', epochs = 2, learning_rate = 2e-3, batch_size = 16, max_length = 16, device = 'cpu'"
)
SELECTION = "SELECT BEST MODEL FOR texts"
# Each may be run again after a kill.
STATEMENTS = (
    "CREATE MODEL IF NOT EXISTS late FROM '{folder}/albert'",
    "CREATE DATASET IF NOT EXISTS more AS SELECT * FROM read_csv('{folder}/files/train.csv')",
    "CREATE DATASET IF NOT EXISTS files FROM '{folder}/files'",
    "INSERT INTO benchmark_results (model, dataset, recipe, score, epochs, seconds) "
    "SELECT 'late', 'earlier', 'tiny', 0.5, 2, 1 "
    "WHERE NOT EXISTS (FROM benchmark_results WHERE model = 'late' AND dataset = 'earlier')",
    f"BENCHMARK MODELS ON more WITH ({OPTIONS})",
    "CLUSTER MODELS WITH (recipe = 'tiny')",
    "RECALL 2 MODELS FOR texts USING logme WITH (recipe = 'tiny', device = 'cpu')",
    f"{SELECTION} USING fine_selection WITH ({OPTIONS})",
    "CREATE TABLE IF NOT EXISTS kept AS SELECT model, score FROM benchmark_results",
    "CREATE OR REPLACE DATASET more AS SELECT * FROM read_csv('{folder}/files/train.csv') LIMIT 60",
    "DROP DATASET IF EXISTS files",
    "DROP MODEL IF EXISTS unused",
)
ALL = range(len(STATEMENTS))
# What is on record, times left out.
TABLES = {
    "models": "SELECT name, modality, architecture FROM models",
    "datasets": "SELECT name, task, train_rows, validation_rows, test_rows FROM datasets",
    "results": "SELECT model, dataset, recipe, seed, score FROM benchmark_results",
    "curves": "SELECT model, dataset, recipe, seed, stage, validation, test FROM training_curves",
    "proxies": "SELECT model, dataset, proxy, score, rows FROM proxy_scores",
    "clusters": "SELECT model, cluster, representative FROM model_clusters",
    "stages": "SELECT stage, model, validation, action FROM selection_stages",
    "selections": "SELECT dataset, model FROM selections WHERE status = 'done'",
}
State = dict[str, frozenset[tuple[Any, ...]]]


def build(folder: Path) -> Path:
    """A store with three tiny models and two datasets, and what the selection reads of earlier benchmarks."""
    random_rows = random.Random(0)
    (folder / "files").mkdir()
    lines = [
        f"{random_rows.choice(tiny_models.GOOD + tiny_models.BAD)} film {number},{number % 2}"
        for number in range(120)
    ]
    (folder / "files" / "train.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    with modelstore.connect(folder / "zoo.db") as store:
        for kind in MODELS:
            with quiet():
                torch.manual_seed(0)
                for part in tiny_models._text_model(kind):
                    part.save_pretrained(folder / kind)
        for name, kind in (("bert", "bert"), ("distilbert", "distilbert"), ("unused", "albert")):
            store.execute(f"CREATE MODEL {name} FROM '{folder / kind}'")
        for seed, name in enumerate(("texts", "earlier")):
            tiny_models.create_text_dataset(store, name, 120, seed)
        store.execute(f"BENCHMARK MODELS ON earlier WITH ({OPTIONS})")
    return folder / "zoo.db"


def copied(original: Path, folder: Path) -> Path:
    """A store of its own, whose models and files are still those beside the original."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return Path(shutil.copy(original, folder / "zoo.db"))


def statements(folder: Path) -> list[str]:
    return [sql.replace("{folder}", str(folder)) for sql in STATEMENTS]


def run(store: Path, folder: Path, numbers: range, at_once: int) -> None:
    """Runs statements; a line in the file ``progress`` tells when each begins and has ended."""
    torch.set_num_threads(at_once)
    progress = store.with_name("progress")

    def written_down(advance: Any) -> Any:
        def advance_and_write(of: Any, *arguments: Any, **options: Any) -> CurvePoint:
            point: CurvePoint = advance(of, *arguments, **options)
            with store.with_name("trained").open("a") as file:
                file.write(f"{of.data.name} {of.data.train.num_rows} {of.model} {point.stage}\n")
            return point

        return advance_and_write

    with ExitStack() as stack:
        for kind in (FineTuning, RemoteRun):
            stack.enter_context(mock.patch.object(kind, "advance", written_down(kind.advance)))
        stack.enter_context(mock.patch.multiple(checkpoint, LEAST_SECONDS=0.0, TIMES_WRITING=0.0))
        if at_once > 1:
            stack.enter_context(worker_pool(["cpu"] * at_once))
        connection = stack.enter_context(modelstore.connect(store))
        sqls = statements(folder)
        for number in numbers:
            with progress.open("a") as file:
                file.write(f"begin {number}\n")
            for again in _now(connection, sqls[number]):
                if connection.execute(again).description is not None:
                    connection.fetchall()
            with progress.open("a") as file:
                file.write(f"end {number}\n")


def _now(connection: modelstore.Connection, sql: str) -> Iterator[str]:
    """A selection that was killed is resumed; one that has ended is not begun again."""
    if not sql.startswith(SELECTION):
        yield sql
        return
    unfinished = connection.execute("SELECT id FROM selections WHERE status <> 'done'").fetchall()
    if unfinished:
        yield f"RESUME SELECTION {unfinished[0][0]}"
    elif not connection.execute("SELECT id FROM selections").fetchall():
        yield sql


def start(store: Path, folder: Path, numbers: range = ALL, at_once: int = 1) -> BaseProcess:
    """`run` in a process of its own, forked from one that has imported the libraries and has no threads."""
    process = processes().Process(target=_quietly, args=(store, folder, numbers, at_once))
    process.start()
    return process


def _quietly(store: Path, folder: Path, numbers: range, at_once: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(os.open(store.with_name("errors"), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a command in the background ignores
    run(store, folder, numbers, at_once)


def progress(store: Path) -> list[str]:
    file = store.with_name("progress")
    return file.read_text().splitlines() if file.exists() else []


def ended(store: Path) -> int:
    """How many statements have ended."""
    return max((int(line.split()[1]) + 1 for line in progress(store) if line.startswith("end")), default=0)


def trained(store: Path) -> list[str]:
    """The stages of models that were trained, a line each."""
    file = store.with_name("trained")
    return file.read_text().splitlines() if file.exists() else []


def state(store: Path) -> State:
    """What a store holds."""
    with modelstore.connect(store) as connection:
        return {name: frozenset(connection.execute(sql).fetchall()) for name, sql in TABLES.items()}
