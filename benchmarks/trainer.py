"""The training engine beside transformers' `Trainer`: rows per second, and final scores over ten seeds.

    pip install 'modelstore[bench]'
    python benchmarks/trainer.py speed [--cases bert-base,vit-base] [--rounds 3] [--float32]
    python benchmarks/trainer.py scores --models MODELS --data DATA

Both fine-tune the same model on the same rows with the same hyperparameters and precision (that which the engine
takes for the model here, or float32): see trainer_side.py.

`speed` is of one epoch of models of random weights, validation after it included. Both find the rows tokenised, and
the images preprocessed, in memory. The two take turns, so that whatever else the machine does slows both, and ratios
are medians over the rounds; CPU seconds are of all threads.

`scores` are those on the test rows after a whole run by the recipe of the validation run, on its targets. MODELS is
the zoo that zoo.py builds, DATA holds packages/*.parquet and images/*.parquet. Equal is what differs by no more than
two standard errors. All settings are in this file; none was changed after looking.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import torch
from trainer_side import TrainerSide
from transformers import (
    BertConfig,
    BertModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)
from workplace import SCRIPTS, task_data, workplace

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.training import finetune
from modelstore.training.finetune import FineTuning
from modelstore.training.loading import load_for_training

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
THREADS = torch.get_num_threads()
import tiny_models  # noqa: E402

torch.set_num_threads(THREADS)  # which tests have set to one

# Of the validation run: a target and a model that does well on it, of different architectures, and its recipe.
SCORED = {
    "suite": "distilbert-descriptions",
    "section_en": "bert-descriptions",
    "use": "gpt2-descriptions",
    "installed_size": "roberta-descriptions",
    "letter": "vit-glyphs",
}
RECIPE = TrainingOptions(
    epochs=4, batch_size=16, learning_rate=1.5e-3, max_length=48, device="cpu", keep="last"
)
SEEDS = 10

MEDIAN_LENGTH, SPREAD = 16, 0.6  # words in a text: log-normal, as those of many corpora of sentences


@dataclass(frozen=True)
class Case:
    """A model of random weights, rows to train on, and the words of each text: of mixed lengths unless given."""

    config: Any
    rows: int
    batch_size: int = 32
    words: int | None = None


def bert(width: int, layers: int) -> BertConfig:
    return BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
    )


def vit(width: int, layers: int, side: int, patch: int) -> ViTConfig:
    return ViTConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        image_size=side,
        patch_size=patch,
    )


CASES = {
    "bert-base": Case(bert(768, 12), 192, 32),
    "bert-small": Case(bert(512, 4), 256, 32),
    "bert-tiny": Case(bert(128, 2), 1024, 32),
    "vit-base": Case(vit(768, 12, 224, 16), 24, 8),
    "vit-small": Case(vit(384, 12, 224, 16), 48, 16),
    "vit-tiny": Case(vit(128, 4, 32, 4), 512, 32),
}


def texts(rows: int, rng: np.random.Generator, words: int | None = None) -> pa.Table:
    lengths = np.full(rows, words)
    if words is None:
        lengths = np.clip(rng.lognormal(np.log(MEDIAN_LENGTH), SPREAD, rows), 1, 120).astype(int)
    text = [" ".join(rng.choice(tiny_models.FILLER, length)) for length in lengths]
    return pa.table({"text": text, "label": pa.array(rng.integers(0, 2, rows), pa.int64())})


def data_of(case: Case) -> TaskData:
    """The case's rows: as many to train on as it says, a quarter to validate on."""
    rng = np.random.default_rng(0)
    text = isinstance(case.config, BertConfig)
    draw = partial(texts, words=case.words) if text else tiny_models.image_rows
    splits = [draw(n, rng) for n in (case.rows, case.rows // 4, 16)]
    task, modality = ("text_classification", "text") if text else ("image_classification", "image")
    return TaskData("rows", task, "accuracy", modality, ("0", "1"), *splits)


def save(config: Any, path: Path) -> None:
    with quiet():
        torch.manual_seed(0)
        if isinstance(config, BertConfig):
            BertModel(config).save_pretrained(path)
            tokenizer = tiny_models._wordpiece()
            tokenizer.model_max_length = 512
            tokenizer.save_pretrained(path)
        else:
            ViTModel(config).save_pretrained(path)
            size = {"height": config.image_size, "width": config.image_size}
            ViTImageProcessorPil(size=size).save_pretrained(path)


def clock() -> float:
    """Seconds, when all that was handed to the device is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def taken(work: Any) -> tuple[float, float]:
    """Seconds, and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measured(
    case: Case, rounds: int, folder: Path
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """What the engine and `Trainer` took, round by round; the first is to warm up, and left out."""
    data = data_of(case)
    save(case.config, folder / "model")
    options = TrainingOptions(epochs=1, batch_size=case.batch_size, learning_rate=3e-5)
    for number in range(rounds + 1):
        ours = FineTuning("model", folder / "model", data, options)
        theirs = TrainerSide(folder / "model", data, options, folder / "trainer")
        both: dict[Any, tuple[float, float]] = {}
        for work in (ours.advance, theirs.trainer.train)[:: 1 if number % 2 else -1]:
            both[work] = taken(work)
        if number:
            yield both[ours.advance], both[theirs.trainer.train]
        ours.release()


def speed(names: list[str], rounds: int, float32: bool) -> None:
    print("| model | precision | engine, rows/s | Trainer, rows/s | ratio | ratio of CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name in names:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            rounds_taken = list(measured(case, rounds, Path(folder)))
            network, _ = load_for_training(
                "m", Path(folder) / "model", "text" if name.startswith("bert") else "image", ("0", "1")
            )
        bfloat16 = not float32 and finetune.precision(network, finetune.pick_device("auto")) == torch.bfloat16
        (ours, _), (theirs, _) = (
            [statistics.median(values) for values in zip(*side, strict=True)]
            for side in zip(*rounds_taken, strict=True)
        )
        wall, cpu = (statistics.median(t[i] / o[i] for o, t in rounds_taken) for i in range(2))
        print(
            f"| {name} | {'bfloat16' if bfloat16 else 'float32'} | {case.rows / ours:.1f} "
            f"| {case.rows / theirs:.1f} | {wall:.2f} | {cpu:.2f} |",
            flush=True,
        )


def scores(zoo: Path, data: Path) -> None:
    torch.set_num_threads(1)  # the models are small
    with workplace(zoo, data), modelstore.connect() as store:
        store.execute((SCRIPTS / "datasets.sql").read_text())
        tasks = [(Path("models", model), task_data(store, name)) for name, model in SCORED.items()]
        score_beside(tasks)


def score_beside(tasks: list[tuple[Path, TaskData]]) -> None:
    print("| task | model | engine | Trainer | difference | two standard errors |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for model, task in tasks:
        found: dict[str, list[float]] = {"engine": [], "Trainer": []}
        for seed in range(SEEDS):
            options = replace(RECIPE, seed=seed)
            ours = FineTuning(model.name, model, task, options)
            while len(ours.curve) < ours.stages:
                ours.advance()
            found["engine"].append(ours.test())
            ours.release()
            with tempfile.TemporaryDirectory() as folder:
                theirs = TrainerSide(model, task, options, Path(folder))
                theirs.trainer.train()
                found["Trainer"].append(theirs.score("test"))
        means = [float(np.mean(values)) for values in found.values()]
        error = sum(np.var(values, ddof=1) / SEEDS for values in found.values()) ** 0.5
        print(
            f"| {task.name}, {task.metric} | {model.name} | {means[0]:.4f} | {means[1]:.4f} "
            f"| {means[0] - means[1]:+.4f} | {2 * error:.4f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["speed", "scores"])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--float32", action="store_true", help="also where the engine would take bfloat16")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.part == "scores" and not (arguments.models and arguments.data):
        parser.error("scores needs --models and --data")
    logging.disable(logging.WARNING)
    # Nothing is to be left in the user's cache.
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict("os.environ", MODELSTORE_CACHE=folder),
        mock.patch.object(
            finetune, "precision", (lambda *_: torch.float32) if arguments.float32 else finetune.precision
        ),
    ):
        if arguments.part == "speed":
            speed(arguments.cases.split(","), arguments.rounds, arguments.float32)
        else:
            scores(arguments.models, arguments.data)


if __name__ == "__main__":
    main()
