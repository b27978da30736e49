"""Real encoders on real tasks: what the default chooses among 24 models on 14 public text tasks.

    python benchmarks/real.py --zoo ZOO --data DATA --out FOLDER [--keep]

ZOO has a folder in the Hugging Face layout for each encoder that real/encoders.sql names; DATA has the public files
that real/datasets.sql reads. The three smallest encoders are fine-tuned on six sources each, which makes 18 models
more. Every model is then trained on every task but its source: 400 rows of at most 64 tokens, 3 epochs, a learning
rate found for each, curves at the points of the default plan; three seeds on four of the tasks. Two processes of one
thread each share the work. All that is made stays in FOLDER; a stopped run goes on where it was when it is run again.

At the end `choosing.py` holds out each task in turn. --keep copies matrix and curves to benchmarks/data/real.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from validation import HERE, command, run_together

import modelstore

SCRIPTS = HERE / "real"
SOURCES = ("ag_news", "banking77", "cola", "emotion", "mrpc", "sst2")
HALVES = (("paraphrase-minilm-l3", "all-minilm-l6-v2"), ("e5-small-enpt-q4",))  # about as long each
OPTIONS = "epochs = 2, batch_size = 16, max_length = 64, register = false"
KEPT = ("models", "datasets", "matrix", "curves")


def derive(half: int) -> None:
    """Fine-tunes the encoders of a half on every source, in the current folder."""
    with modelstore.connect(f"deriving_{half}.db") as store:
        for script in ("encoders", "datasets", "sources"):
            store.execute((SCRIPTS / f"{script}.sql").read_text())
        for encoder in HALVES[half]:
            for source in SOURCES:
                place = Path("derived", f"{encoder}-{source}")
                if place.exists():
                    continue
                select = f"SELECT BEST MODEL FOR {source}_source WHERE name = '{encoder}' USING brute_force"
                (checkpoint,) = store.execute(f"{select} WITH ({OPTIONS})").fetchnumpy()["checkpoint"]
                partial = place.with_name(f".{place.name}")
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(checkpoint, partial)
                partial.rename(place)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", action="store_true", help="keep matrix and curves in benchmarks/data/real")
    parser.add_argument("--derive", type=int, choices=(0, 1), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.derive is not None:
        derive(given.derive)
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

    here = [
        sys.executable,
        __file__,
        *(f"--{name}={getattr(given, name).resolve()}" for name in ("zoo", "data")),
    ]
    run_together([[*here, f"--out={out}", f"--derive={half}"] for half in (0, 1)], out)
    done("fine-tuned models")
    run_together(
        [
            command(
                SCRIPTS, f"half_{half}.db", "encoders", "derived", "datasets", f"benchmark_{half}", form="csv"
            )
            for half in (1, 2)
        ],
        out,
    )
    done("benchmarks")
    run_together(
        [
            [
                *command(SCRIPTS, "real.db", "encoders", "derived", "datasets"),
                "-f",
                str(HERE / "validation/merge.sql"),
            ]
        ],
        out,
    )
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
