"""Real encoders on real tasks: what the default chooses among 24 models on 14 public text tasks.

    python benchmarks/real.py --zoo ZOO --data DATA --out FOLDER [--processes 2] [--keep]

ZOO has a folder in the Hugging Face layout for each encoder that real/encoders.sql names; DATA has the public files
that real/datasets.sql reads. The three smallest encoders are fine-tuned on six sources each, which makes 18 models
more. Every model is then trained on every task but its source: 400 rows of at most 64 tokens, 3 epochs, a learning
rate found for each, curves at the points of the default plan; three seeds on four of the tasks. Two processes of one
thread each share the work; on a GPU, which one small model does not fill, more of them share the device. All that is
made stays in FOLDER; a stopped run goes on where it was when it is run again.

At the end `choosing.py` holds out each task in turn. --keep copies matrix and curves to benchmarks/data/real.
"""

import argparse
import os
import shutil
import sys
import time
from itertools import product
from pathlib import Path

from validation import HERE, command, run_together

import modelstore

SCRIPTS = HERE / "real"
DERIVED = ("e5-small-enpt-q4", "all-minilm-l6-v2", "paraphrase-minilm-l3")  # slow ones first
SOURCES = ("ag_news", "banking77", "cola", "emotion", "mrpc", "sst2")
TASKS = ("airline", "csabstruct", "davidson_hate", "germeval", "sms", "sts", "trec", "clinc150", *SOURCES)
THREE_SEEDS = ("clinc150", "cola", "sst2", "trec")
PASSES = [(task, 0) for task in TASKS] + list(product(THREE_SEEDS, (1, 2)))
OPTIONS = "batch_size = 16, max_length = 64"
KEPT = ("models", "datasets", "matrix", "curves")


def place(encoder: str, source: str) -> Path:
    """Where the encoder that was fine-tuned on a source lies, in the folder of the run."""
    return Path("derived", f"{encoder}-{source}")


def derive(encoder: str, source: str) -> None:
    """Fine-tunes an encoder on a source, in the current folder."""
    folder = place(encoder, source)
    with modelstore.connect(f"deriving-{folder.name}.db") as store:
        for script in ("encoders", "datasets", "sources"):
            store.execute((SCRIPTS / f"{script}.sql").read_text())
        select = f"SELECT BEST MODEL FOR {source}_source WHERE name = '{encoder}' USING brute_force"
        (checkpoint,) = store.execute(
            f"{select} WITH ({OPTIONS}, epochs = 2, register = false)"
        ).fetchnumpy()["checkpoint"]
        partial = folder.with_name(f".{folder.name}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(checkpoint, partial)
        partial.rename(folder)


def benchmark(task: str, seed: int) -> list[str]:
    """What trains every model on a task, but those that were fine-tuned on it before, into a store of its own."""
    others = f" WHERE name NOT LIKE '%-{task}'" if task in SOURCES else ""
    options = f"recipe = 'real', seed = {seed}, epochs = 3, {OPTIONS}"
    statement = f"BENCHMARK MODELS{others} ON {task} WITH ({options})"
    return [
        *command(SCRIPTS, part(task, seed), "encoders", "derived", "datasets", form="csv"),
        "-c",
        statement,
    ]


def part(task: str, seed: int) -> str:
    return f"part-{task}-{seed}.db"


def merge(out: Path) -> None:
    """What all processes recorded, in one store."""
    os.chdir(out)  # where the scripts' paths lead from
    Path("real.db").unlink(missing_ok=True)
    with modelstore.connect("real.db") as store:
        for script in ("encoders", "derived", "datasets"):
            store.execute((SCRIPTS / f"{script}.sql").read_text())
        for one in PASSES:
            store.execute(f"ATTACH '{part(*one)}' AS part (READ_ONLY)")
            store.execute("INSERT OR IGNORE INTO recipes FROM part.recipes")
            for table in ("benchmark_results", "training_curves"):
                store.execute(f"INSERT INTO {table} BY NAME FROM part.{table}")
            store.execute("DETACH part")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep matrix and curves in benchmarks/data/real")
    parser.add_argument("--derive", nargs=2, metavar=("ENCODER", "SOURCE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.processes < 1:
        parser.error("--processes is at least 1")
    if given.derive is not None:
        derive(*given.derive)
        return
    out = given.out.resolve()
    (out / "derived").mkdir(parents=True, exist_ok=True)
    for name in ("zoo", "data"):
        link, folder = out / name, getattr(given, name).resolve()
        if not folder.is_dir():
            raise SystemExit(f'"{folder}" is not there: --{name} names it')
        if not link.exists():
            link.symlink_to(folder)

    started = time.perf_counter()

    def done(what: str) -> None:
        print(f"{what}: {time.perf_counter() - started:.0f} s", flush=True)

    here = [sys.executable, __file__, "--zoo=zoo", "--data=data", "--out=."]
    missing = [pair for pair in product(DERIVED, SOURCES) if not (out / place(*pair)).exists()]
    run_together([[*here, "--derive", *pair] for pair in missing], out, given.processes)
    done("fine-tuned models")
    run_together([benchmark(*one) for one in PASSES], out, given.processes)
    done("benchmarks")
    merge(out)
    run_together([command(HERE / "validation", "real.db", "export")], out)
    done("all")
    if given.keep:
        kept = HERE / "data" / "real"
        kept.mkdir(exist_ok=True)
        for name in KEPT:
            shutil.copy(out / f"{name}.parquet", kept / f"{name}.parquet")
    run_together([[sys.executable, str(HERE / "choosing.py"), "--records", str(out)]], out)


if __name__ == "__main__":
    main()
