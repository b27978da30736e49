"""How far the seconds that EXPLAIN expects are from those that training takes.

    python benchmarks/estimates.py records --data DATA
    python benchmarks/estimates.py runs --data DATA --models MODELS [--rounds 3]

DATA holds packages/*.parquet and images/*.parquet, one file a task.

`records` asks for the seconds of each pair of the validation run (data/matrix.parquet) as if parts of the records
were missing: the pair itself, all of its model, all of its dataset, or both. Beside it stands the rule of parameters
times rows that was in use before. Models' shapes come from their configs, and tokens from DATA.

`runs` asks for the seconds of an epoch with three validations from a probe of this machine, with nothing on record,
and trains: the models in MODELS, directories in the Hugging Face layout, and models of the demo's architectures with
random weights. Each round measures the machine again. Run it with OMP_NUM_THREADS=1 where other programs run too.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
from workplace import task_data

import modelstore
from modelstore.data.model_shape import shape_of
from modelstore.libraries import quiet
from modelstore.options import RecipeOptions, TrainingOptions
from modelstore.planner.training_times import TrainingTimes, unmeasured
from modelstore.store import Store
from modelstore.store.registered import Dataset, Model
from modelstore.store.telemetry import RecordedEpoch
from modelstore.training.speed import Speed

RECORDS = Path(__file__).parent / "data"
RECIPE = RecipeOptions(epochs=4, batch_size=16, learning_rate=1.5e-3, max_length=48)  # of the validation run
VALIDATIONS = 4  # in an epoch of it
TASKS = {"text": ("use", "role", "section_fr", "same_source"), "image": ("letter", "icon_category")}
ROWS = {"real": (128, 64), "demo": (512, 256)}  # to train and to validate on
STAGES = (0.25, 0.5, 1.0)


def summary(ratios: list[float]) -> str:
    logs = np.log(ratios)
    inside = np.mean(np.abs(logs) <= np.log(2))
    return f"{len(ratios)} | {inside:.0%} | {np.exp(np.median(logs)):.2f} | {np.exp(np.abs(logs).mean()):.2f}"


HEAD = "pairs | within a factor of two | median ratio | typical factor"


# Against the records


def zoo_configs(folder: Path) -> dict[str, Path]:
    """The config of each model of the zoo, in a directory of its own."""
    from zoo import specs

    from modelstore.demo.architectures import IMAGE, image_config, text_config

    found = {}
    for spec in specs():
        if spec.architecture in IMAGE:
            config = image_config(spec.architecture, spec.hidden, spec.layers, spec.heads)
        else:
            sizes = spec.vocabulary, spec.hidden, spec.layers, spec.heads
            config = text_config(spec.architecture, *sizes)
        config.save_pretrained(folder / spec.name)
        found[spec.name] = folder / spec.name
    return found


def register_records(store: Store, data: Path, folder: Path) -> list[RecordedEpoch]:
    configs = zoo_configs(folder)
    models = duckdb.sql(f"FROM '{RECORDS / 'models.parquet'}'").fetchall()
    for name, modality, architecture, parameters in models:
        store.catalog.add_models(
            [Model(name, str(configs[name]), modality, architecture, parameters, (), None)]
        )
    columns = "name, task, metric, modality, train_rows, validation_rows, test_rows"
    tasks = duckdb.sql(f"SELECT {columns} FROM '{RECORDS / 'datasets.parquet'}'").fetchall()
    for name, task, metric, modality, *rows in tasks:
        [file] = data.glob(f"*/{name}.parquet")
        texts = {name: name for name in duckdb.sql(f"FROM '{file}'").columns if name.startswith("text")}
        store.catalog.add_dataset(Dataset(name, str(file), task, metric, (), *rows, modality, texts))
    runs = duckdb.sql(
        f"SELECT model, dataset, avg(seconds / epochs) FROM '{RECORDS}/matrix.parquet' GROUP BY ALL ORDER BY ALL"
    )
    return [
        RecordedEpoch(model, dataset, seconds, VALIDATIONS) for model, dataset, seconds in runs.fetchall()
    ]


def against_records(data: Path) -> None:
    kinds: dict[str, Any] = {
        "the pair": lambda run, other: (run.model, run.dataset) == (other.model, other.dataset),
        "the model": lambda run, other: run.model == other.model,
        "the dataset": lambda run, other: run.dataset == other.dataset,
        "both": lambda run, other: run.model == other.model or run.dataset == other.dataset,
    }
    print(f"| without | rule | {HEAD} |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, modelstore.connect() as connection:
        store = Store(connection._duckdb)
        runs = register_records(store, data, Path(folder))
        models = store.catalog.find_models(store.catalog.model_names())
        datasets = {name: store.catalog.dataset(name) for name in store.catalog.dataset_names()}
        for title, is_left_out in kinds.items():
            ratios, before = list[float](), list[float]()
            groups: defaultdict[Any, list[RecordedEpoch]] = defaultdict(list)
            for run in runs:
                groups[tuple(is_left_out(run, other) for other in runs)].append(run)
            for left_out, members in groups.items():
                known = [run for run, out in zip(runs, left_out, strict=True) if not out]
                store.telemetry = SimpleNamespace(epochs_of_runs=lambda *_, known=known: known)  # type: ignore[assignment]
                work = sum(models[r.model].parameters * datasets[r.dataset].train_rows for r in known)  # type: ignore[operator]
                rate = sum(run.seconds for run in known) / work
                times = TrainingTimes(store, "default", RECIPE, None, unmeasured)
                times.prepare([])
                for run in members:
                    model, dataset = models[run.model], datasets[run.dataset]
                    found = times.of(run.model, model, run.dataset, dataset)
                    assert found is not None
                    ratios.append(found.whole(1, VALIDATIONS) / run.seconds)
                    before.append(rate * model.parameters * dataset.train_rows / run.seconds)  # type: ignore[operator]
            print(f"| {title} | shape, corrected by records | {summary(ratios)} |")
            print(f"| {title} | parameters × rows | {summary(before)} |", flush=True)


# Against runs on this machine


def demo_models(folder: Path, texts: list[str]) -> Iterator[Path]:
    """The models of the demonstration with random weights."""
    import torch
    from transformers import AutoModel

    from modelstore.demo.architectures import (
        IMAGE,
        image_config,
        image_processor,
        text_config,
        train_tokenizer,
    )
    from modelstore.demo.zoo import SPECS

    torch.manual_seed(0)
    for spec in SPECS:
        path = folder / spec.name
        if spec.architecture in IMAGE:
            config = image_config(spec.architecture, spec.hidden, spec.layers, spec.heads)
            image_processor().save_pretrained(path)
        else:
            tokenizer = train_tokenizer(spec.architecture, texts, spec.vocabulary)
            config = text_config(spec.architecture, len(tokenizer), spec.hidden, spec.layers, spec.heads)
            tokenizer.save_pretrained(path)
        with quiet():
            AutoModel.from_config(config).save_pretrained(path)
        yield path


def create_tasks(connection: modelstore.Connection, data: Path) -> None:
    for kind, (train, validation) in ROWS.items():
        for name, column in ((name, column) for column, names in TASKS.items() for name in names):
            [file] = data.glob(f"*/{name}.parquet")
            connection.execute(
                f"CREATE DATASET {name}_{kind} AS SELECT * FROM '{file}' QUALIFY row_number() OVER "
                f"(PARTITION BY split ORDER BY md5({column})) <= "
                f"CASE split WHEN 'train' THEN {train} ELSE {validation} END"
            )


def measured(speed: Speed, *_: Any) -> Speed:
    return speed


def probe(models: dict[str, Model]) -> Speed:
    """A new measurement of this machine, with every architecture of the models that is none of the plain ones."""
    from modelstore.planner.device_speed import measured_speed

    plan: Any = SimpleNamespace(device="cpu", threads=int(os.environ.get("OMP_NUM_THREADS", "1")))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MODELSTORE_CACHE"] = folder
        began = time.perf_counter()
        found = measured_speed(
            plan,
            list(models.values()),
            lambda model: shape_of(model.uri, float(model.parameters or 0), model.modality),
        )
        assert found is not None
        print(f"probe: {time.perf_counter() - began:.1f} s, {found}", file=sys.stderr)
    return found


def against_runs(data: Path, folder: Path, rounds: int) -> None:
    from modelstore.training.finetune import FineTuning

    texts = [
        text for (text,) in duckdb.sql(f"SELECT text FROM '{data}/packages/use.parquet' LIMIT 500").fetchall()
    ]
    recipe = RecipeOptions(epochs=1, batch_size=16, max_length=64)
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place, modelstore.connect() as connection:
        kinds = {}
        for kind, paths in (("real", sorted(folder.iterdir())), ("demo", demo_models(Path(place), texts))):
            for path in paths:
                if (path / "config.json").is_file():
                    connection.execute(f"CREATE MODEL '{path.name}' FROM '{path}'")
                    kinds[path.name] = kind
        create_tasks(connection, data)
        store = Store(connection._duckdb)
        models = store.catalog.find_models(list(kinds))
        for _ in range(rounds):
            for kind in ROWS:
                mine = {name: model for name, model in models.items() if kinds[name] == kind}
                # As EXPLAIN would, with only these models in the store.
                find_speed = partial(measured, probe(mine))
                for name, model in mine.items():
                    for task in TASKS[str(model.modality)]:
                        dataset = store.catalog.dataset(f"{task}_{kind}")
                        times = TrainingTimes(store, "default", recipe, dataset, find_speed)
                        times.prepare([model])
                        expected = times.of(name, model, dataset.name, dataset)
                        assert expected is not None
                        options = TrainingOptions(**recipe.as_dict(), stages=STAGES, device="cpu")
                        run = FineTuning(
                            name, Path(str(model.uri)), task_data(connection, dataset.name), options
                        )
                        while len(run.curve) < len(STAGES):
                            run.advance()
                        taken = sum(point.seconds for point in run.curve)
                        ratio = expected.whole(1.0, len(STAGES)) / taken
                        ratios[kind].append(ratio)
                        ratios[f"{model.modality} models"].append(ratio)
                        print(f"{name} on {task}: {taken:.2f} s, ratio {ratio:.2f}", file=sys.stderr)
    print(f"| models | {HEAD} |\n| --- | --- | --- | --- | --- |")
    for title, found in ratios.items():
        print(f"| {title} | {summary(found)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    records = commands.add_parser("records")
    records.add_argument("--data", type=Path, required=True)
    runs = commands.add_parser("runs")
    runs.add_argument("--data", type=Path, required=True)
    runs.add_argument("--models", type=Path, required=True)
    runs.add_argument("--rounds", type=int, default=3)
    runs.add_argument("--cpu-time", action="store_true", help="of the process, in place of the wall clock")
    arguments = parser.parse_args()
    if arguments.command == "records":
        against_records(arguments.data)
    else:
        if arguments.cpu_time:
            time.perf_counter = time.process_time
        against_runs(arguments.data, arguments.models, arguments.rounds)


if __name__ == "__main__":
    main()
