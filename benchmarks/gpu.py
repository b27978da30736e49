"""The training engine on a GPU beside transformers' `Trainer`, in one script without downloads.

    pip install 'modelstore[bench]'
    python benchmarks/gpu.py [--out gpu.json] [--parts tests,training,selection,at_once,sharing,proxies]
                             [--seconds 330] [--ranker RANKER/bin/python]
    python benchmarks/gpu.py --dry-run                  # every line, on tiny sizes and the CPU

Models have random weights of the sizes that `CASES` names, so only speed is compared, never scores. Both sides train
the same rows with the same hyperparameters in bfloat16; `Trainer` at settings of its own that suit it best: batches
grouped by length, worker processes that prepare them, fused AdamW, and for one case `torch.compile`. A rate is that
of the second epoch and after, validation included; the first epoch, in which kernels are chosen, loaded and captured,
is reported beside it. The share of the matrix rate is the floating-point operations of an epoch, padding included,
over the best rate of a large product of two bfloat16 matrices on the same device. `sharing` is sharing.py, and
`proxies` RECALL beside TransformerRanker, whose environment --ranker names (see transformer_ranker.py). Parts that do
not fit the seconds given are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ranker_side
import sharing
import torch
import transformers
from at_once import seconds
from torch.utils.flop_counter import FlopCounterMode
from trainer import Case, bert, clock, data_of, save, vit
from trainer_side import TrainerSide

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.execution.pool import worker_pool
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.training.hardware import pick_device

ROOT = Path(__file__).parents[1]
BEST_SETTINGS = {
    "train_sampling_strategy": "group_by_length",
    "dataloader_num_workers": min(4, os.cpu_count() or 1),
    "dataloader_persistent_workers": True,
    "optim": "adamw_torch_fused",
}


CASES = {
    "bert-base, mixed lengths": Case(bert(768, 12), 2048),
    "bert-base, 128 tokens": Case(bert(768, 12), 2048, words=128),
    "vit-base": Case(vit(768, 12, 224, 16), 512),
    "bert-tiny, mixed lengths": Case(bert(128, 2), 4096),
    "distilbert-size, mixed lengths": Case(bert(768, 6), 2048),
}
COMPILED = "bert-base, 128 tokens"  # for which Trainer is measured with torch.compile too
TINY = {
    "text": Case(bert(64, 1), 64),
    "text, 24 tokens": Case(bert(64, 1), 64, words=24),
    "image": Case(vit(64, 1, 32, 16), 64),
}


def options_of(case: Case, epochs: int) -> TrainingOptions:
    return TrainingOptions(epochs=epochs, batch_size=case.batch_size, learning_rate=3e-5)


# ----------------------------------------------------------------------------------------------------
# The device


def device() -> dict[str, Any]:
    """What it is, and its best rates."""
    on = pick_device("auto")
    side, rounds = (8192, 10) if on.type == "cuda" else (256, 2)
    left, right = (torch.randn(side, side, device=on, dtype=torch.bfloat16) for _ in range(2))
    left @ right
    started = clock()
    for _ in range(rounds):
        left @ right
    matrix = 2 * side**3 * rounds / (clock() - started)
    source = torch.empty(2**31 if on.type == "cuda" else 2**20, dtype=torch.uint8, device=on)
    target = torch.empty_like(source)
    target.copy_(source)
    started = clock()
    for _ in range(rounds):
        target.copy_(source)
    copied = 2 * source.numel() * rounds / (clock() - started)
    del left, right, source, target
    found: dict[str, Any] = {
        "device": platform.processor() or "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "cores": os.cpu_count(),
        "matrix_tflops": matrix / 1e12,
        "copy_tb_per_second": copied / 1e12,
    }
    if on.type == "cuda":
        torch.cuda.empty_cache()
        found["device"] = torch.cuda.get_device_name(on)
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        found["driver"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    return found


# ----------------------------------------------------------------------------------------------------
# One model


def engine(path: Path, data: TaskData, case: Case, epochs: int) -> dict[str, float]:
    """Rows a second, of the first epoch and of the others, and the operations of an epoch."""
    began = clock()
    run = FineTuning("model", path, data, options_of(case, epochs))
    loaded = clock() - began
    seconds = [run.advance().seconds for _ in range(epochs)]
    run.release()
    return {
        "load_seconds": loaded,
        "first": case.rows / seconds[0],
        "rows_per_second": case.rows * (epochs - 1) / sum(seconds[1:]),
    }


def operations(path: Path, data: TaskData, case: Case) -> float:
    """Floating-point operations of an epoch, counted while it runs without captured steps."""
    few = case.rows // 8
    validation = data.validation.slice(0, max(1, few // 4))
    some = replace(data, train=data.train.slice(0, few), validation=validation)
    run = FineTuning("model", path, some, options_of(case, 1))
    run.steps.graphs = None
    with FlopCounterMode(display=False) as counter:
        run.advance()
    run.release()
    return counter.get_total_flops() * case.rows / few


class Epochs(transformers.TrainerCallback):
    """Notes when each epoch ends, its validation included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.ends = [clock()]

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        self.ends.append(clock())


def by_trainer(path: Path, data: TaskData, case: Case, epochs: int, **settings: Any) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        side = TrainerSide(path, data, options_of(case, epochs), Path(folder), **settings)
        watch = Epochs()
        side.trainer.add_callback(watch)
        side.trainer.train()
        seconds = np.diff(watch.ends)
        return {
            "first": case.rows / seconds[0],
            "rows_per_second": case.rows * (epochs - 1) / float(seconds[1:].sum()),
        }


def training(
    cases: dict[str, Case], matrix_rate: float, left: Callable[[], float]
) -> Iterator[dict[str, Any]]:
    """The engine beside `Trainer`, case by case."""
    for name, case in cases.items():
        if left() < 30:
            yield {"case": name, "left_out": True}
            continue
        data = data_of(case)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            save(case.config, path)
            flops = operations(path, data, case)
            ours = engine(path, data, case, 4)
            settings = dict(BEST_SETTINGS)
            if data.modality == "image":
                settings["train_sampling_strategy"] = "random"
            theirs = {"eager": by_trainer(path, data, case, 2, **settings)}
            if name == COMPILED and left() > 100:
                theirs["compiled"] = by_trainer(path, data, case, 3, torch_compile=True, **settings)
        best = max(one["rows_per_second"] for one in theirs.values())
        yield {
            "case": name,
            "engine": ours,
            "trainer": theirs,
            "ratio": ours["rows_per_second"] / best,
            "of_matrix_rate": flops / case.rows * ours["rows_per_second"] / matrix_rate,
        }


# ----------------------------------------------------------------------------------------------------
# Several models


def at_once(
    cases: dict[str, Case], counts: Sequence[int], left: Callable[[], float]
) -> Iterator[dict[str, Any]]:
    """Four models in so many worker processes at a time, which share the device."""
    on = str(pick_device("auto"))
    for name, case in cases.items():
        if left() < 40:
            yield {"case": name, "left_out": True}
            continue
        data = data_of(case)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            save(case.config, path)
            taken: dict[int, float] = {}
            for count in counts:
                with worker_pool([on] * count) as workers:
                    while not all(worker.ready for worker in workers.present()):
                        time.sleep(0.01)
                    seconds(workers, path, data, case, count, epochs=2)  # to warm up
                    taken[count] = seconds(workers, path, data, case, 4, epochs=2)
        yield {
            "case": name,
            "rows_per_second": {count: 4 * 2 * case.rows / took for count, took in taken.items()},
        }


@contextmanager
def zoo(config: Any, models: int, data: TaskData) -> Iterator[tuple[modelstore.Connection, list[Path]]]:
    """A store of so many models and the dataset `target`, and the models' folders."""
    with tempfile.TemporaryDirectory() as folder, modelstore.connect(Path(folder, "zoo.db")) as store:
        paths = [Path(folder, f"model-{number}") for number in range(models)]
        for number, path in enumerate(paths):
            torch.manual_seed(number)
            save(config, path)
            store.execute(f"CREATE MODEL 'model-{number}' FROM '{path}'")
        tables = [
            split.append_column("split", pa.array([name] * split.num_rows))
            for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
        ]
        rows_of_all = pa.concat_tables(tables)  # noqa: F841 - read by the statement
        store.execute("CREATE DATASET target AS SELECT text, label::VARCHAR AS label, split FROM rows_of_all")
        yield store, paths


def selection(config: Any, models: int, rows: int) -> dict[str, Any]:
    """A whole SELECT BEST of so many models by halving, beside the same runs by `Trainer` one after another."""
    case = Case(config, rows)
    data = data_of(case)
    options = replace(options_of(case, 4), max_length=128)
    with zoo(config, models, data) as (store, paths):
        began = clock()
        row = store.execute(
            "SELECT BEST MODEL FOR target USING successive_halving "
            "WITH (epochs = 4, batch_size = 32, learning_rate = 3e-5)"
        ).fetchone()
        ours = clock() - began
        assert row is not None
        trained = store.execute(
            "SELECT model, max(stage) FROM selection_stages GROUP BY model ORDER BY model"
        ).fetchall()
        began = clock()
        for name, epochs in trained:
            with tempfile.TemporaryDirectory() as out:
                side = TrainerSide(
                    paths[0].with_name(name), data, options, Path(out), epochs, **BEST_SETTINGS
                )
                side.trainer.train()
                if name == row[1]:
                    side.score("test")
                    side.trainer.save_model(str(Path(out, "winner")))
        theirs = clock() - began
    epochs = sum(count for _, count in trained)
    return {
        "models": models,
        "epochs": epochs,
        "engine_seconds": ours,
        "trainer_seconds": theirs,
        "ratio": theirs / ours,
    }


def proxies(config: Any, models: int, rows: int, ranker: Path | None) -> dict[str, Any]:
    """RECALL of so many models by LogME beside TransformerRanker, each after a first model to warm up."""
    data = data_of(Case(config, rows))
    found: dict[str, Any] = {"models": models, "rows": rows}
    with zoo(config, models, data) as (store, paths):
        recall = "RECALL {} MODELS FOR target{} USING logme WITH (prior = 'mean', batch_size = 64, max_length = 128)"
        store.execute(recall.format(1, " WHERE name = 'model-0'"))
        store.execute("DELETE FROM proxy_scores")
        began = clock()
        store.execute(recall.format(models, ""))
        found["recall_seconds"] = clock() - began
        if ranker is None:
            return {**found, "transformer_ranker": "not given: --ranker names its environment's Python"}
        request = {
            "texts": data.train["text"].to_pylist(),
            "labels": data.train["label"].to_pylist(),
            "estimator": "logme",
            "batch_size": 64,
            "device": pick_device("auto").type,
        }
        with tempfile.NamedTemporaryFile("w") as log, ranker_side.worker(ranker, log) as process:
            for some in (paths[:1], paths):
                (seconds, _), _ = ranker_side.ask(
                    process, {**request, "models": [str(path) for path in some]}, log.name
                )
    return {**found, "transformer_ranker_seconds": seconds, "ratio": seconds / found["recall_seconds"]}


def tests() -> str:
    """What the tests of training marked gpu come to, in pytest's words; without a GPU they are skipped."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "tests/training"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return (told.stdout or told.stderr).strip().splitlines()[-1]


# ----------------------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> None:
    """The tables, in Markdown."""
    print("\n" + ", ".join(f"{name} {value}" for name, value in found["device"].items()))
    if found.get("training"):
        print(
            "\n| model | engine, rows/s | first epoch | Trainer's best, rows/s | ratio | of the matrix rate |"
        )
        print("| --- | --: | --: | --: | --: | --: |")
        for one in found["training"]:
            if "left_out" in one:
                print(f"| {one['case']} | not enough time | | | | |")
                continue
            best, rates = max(one["trainer"].items(), key=lambda item: item[1]["rows_per_second"])
            print(
                f"| {one['case']} | {one['engine']['rows_per_second']:.0f} | {one['engine']['first']:.0f} "
                f"| {rates['rows_per_second']:.0f} ({best}) | {one['ratio']:.2f} | {one['of_matrix_rate']:.0%} |"
            )
    for one in found.get("at_once", []):
        print(f"\nat the same time, {one['case']}: {one.get('rows_per_second', 'not enough time')} rows/s")
    if found.get("sharing"):
        print(f"\n| models at once, rows/s | {' | '.join(sharing.WAYS)} |")
        print("| --- " + "| --: " * len(sharing.WAYS) + "|")
        for name, rates in found["sharing"].items():
            cells = (one if isinstance(one, str) else f"{one:.0f}" for one in rates.values())
            print(f"| {name} | {' | '.join(cells)} |")
    for part in ("selection", "proxies", "tests"):
        if part in found:
            print(f"\n{part}: {found[part]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="a file for all figures, in JSON")
    parser.add_argument("--parts", default="tests,training,selection,at_once,sharing,proxies")
    parser.add_argument("--seconds", type=float, default=330)
    parser.add_argument("--ranker", type=Path, help="Python of TransformerRanker's environment")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    left = lambda: arguments.seconds - (time.monotonic() - began)  # noqa: E731
    parts = arguments.parts.split(",")
    logging.disable(logging.WARNING)
    cases = TINY if arguments.dry_run else CASES
    several = {name: cases[name] for name in list(cases)[::3]}
    tiny = arguments.dry_run
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MODELSTORE_CACHE"] = cache
        found: dict[str, Any] = {"device": device()}
        if "tests" in parts:
            found["tests"] = tests()
        if "training" in parts:
            found["training"] = []
            for one in training(cases, found["device"]["matrix_tflops"] * 1e12, left):
                found["training"].append(one)
                print(json.dumps(one), flush=True)
        if "selection" in parts:
            of = (bert(64, 1), 2, 64) if tiny else (bert(768, 6), 10, 1024)
            found["selection"] = selection(*of) if left() > 60 else "not enough time"
            print(json.dumps(found["selection"]), flush=True)
        if "at_once" in parts:
            found["at_once"] = list(at_once(several, (1, 2) if tiny else (1, 2, 4), left))
        if "sharing" in parts:
            sizes = {"tiny": sharing.Size(bert(64, 1), 4, 8, 2)} if tiny else sharing.sizes(30)
            models = 2 if tiny else 4
            found["sharing"] = {
                name: sharing.rates(size, models)
                if left() > 60
                else dict.fromkeys(sharing.WAYS, "not enough time")
                for name, size in sizes.items()
            }
            print(json.dumps(found["sharing"]), flush=True)
        if "proxies" in parts:
            of = (bert(64, 1), 2, 64) if tiny else (bert(768, 6), 6, 2048)
            found["proxies"] = proxies(*of, arguments.ranker) if left() > 30 else "not enough time"
    show(found)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
