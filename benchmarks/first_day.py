"""The first minutes with modelstore, from an empty folder to a prediction: the wall time of each step.

    python benchmarks/first_day.py [--models FOLDER]

A fresh environment is made and the package installed into it. Then `modelstore init` registers a dataset of a hub on
loopback and ten of its models, which public records propose; RECALL ranks models, SELECT BEST trains, and the winner
predicts. Behind the models' names are those in FOLDER, directories in the Hugging Face layout; without it they are
three of a few thousand parameters, so that the times are those of everything but large downloads and training.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import modelstore

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models
from hub_stub import HubStub, running

HERE = Path(__file__).resolve().parents[1]
KINDS = ("bert", "distilbert", "roberta")
ROWS = 1000
RECORDS = "recipe = 'euroeval'"
KNOWN = f"(SELECT DISTINCT model FROM performance_matrix WHERE {RECORDS})"
OPTIONS = "recipes = ['default', 'euroeval'], epochs = 2"
REVIEW = "the plot is dull and the film is too long"


def fill(hub: HubStub, folder: Path, models: Path | None) -> None:
    """Serves a dataset, and models by all names that the public records know."""
    rows = tiny_models.text_rows(ROWS, np.random.default_rng(0))
    (folder / "reviews").mkdir()
    pq.write_table(rows, folder / "reviews" / "train.parquet")
    hub.add("me/reviews", folder / "reviews", kind="datasets")
    found = sorted(path for path in models.iterdir() if path.is_dir()) if models else list(tiny(folder))
    with modelstore.connect() as store:
        store.execute("IMPORT RECORDS euroeval")
        names = store.execute(f"FROM {KNOWN} ORDER BY ALL").fetchall()
    for (name,), path in zip(names, itertools.cycle(found), strict=False):
        hub.add(name, path)


def tiny(folder: Path) -> Iterator[Path]:
    for kind in KINDS:
        model, processor = tiny_models._text_model(kind)
        model.save_pretrained(folder / kind)
        processor.save_pretrained(folder / kind)
        yield folder / kind


def steps(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each step with what takes it."""
    program = folder / "venv" / "bin"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def in_store(sql: str) -> str:
        return run(program / "modelstore", "zoo.db", "--format", "csv", "-c", sql)

    def install() -> None:
        run(sys.executable, "-m", "venv", "venv")
        pip = [
            program / "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--constraint",
            HERE / "constraints.txt",
        ]
        run(*pip, HERE)

    def predict() -> str:
        winner = in_store("SELECT name FROM models WHERE base IS NOT NULL").splitlines()[-1]
        return in_store(f"SELECT predict('{winner}', '{REVIEW}')")

    yield "a fresh environment, and pip install", install
    yield "modelstore init", lambda: run(program / "modelstore", "init", "--data", "hf://me/reviews")
    yield "RECALL 10 MODELS", lambda: in_store(f"RECALL 10 MODELS FOR reviews FROM {KNOWN} WITH ({RECORDS})")
    yield "SELECT BEST MODEL", lambda: in_store(f"SELECT BEST MODEL FOR reviews WITH ({OPTIONS})")
    yield "SELECT predict(…)", predict


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, help="text encoders to serve")
    models = parser.parse_args().models
    with tempfile.TemporaryDirectory() as place, running() as hub:
        folder, served = Path(place, "work"), Path(place, "hub")
        folder.mkdir()
        served.mkdir()
        fill(hub, served, models)
        os.environ |= {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": f"{place}/home",
            "MODELSTORE_CACHE": f"{place}/cache",
        }
        print("| step | seconds |\n| --- | --: |")
        began = time.perf_counter()
        for name, take in steps(folder):
            started = time.perf_counter()
            take()
            print(f"| {name} | {time.perf_counter() - started:.1f} |", flush=True)
        print(f"| all | {time.perf_counter() - began:.1f} |")


if __name__ == "__main__":
    main()
