"""The training engine beside transformers' `Trainer`: rows per second, and final scores over five seeds.

    pip install 'modelstore[bench]'
    python tests/benchmarks/trainer.py [speed] [scores] [--cases bert-base,vit-base] [--rounds 3] [--float32]

Both fine-tune the same model on the same rows with the same hyperparameters and precision (that which the engine
takes for the model here, or float32), and validate after the epoch in batches of the same size. `Trainer` is left
as it comes: rows shuffled, batches padded to their longest row. Both find the rows tokenised, and the images
preprocessed, in memory. The two take turns, so that whatever else the machine does slows both, and ratios are
medians over the rounds; CPU seconds are of all threads.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import torch
from transformers import (
    BertConfig,
    BertModel,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)
from transformers.trainer_callback import PrinterCallback

from modelstore.engine import finetune
from modelstore.engine.finetune import FineTuning, TrainingOptions
from modelstore.engine.libraries import quiet
from modelstore.engine.loading import load_for_training
from modelstore.engine.metrics import score
from modelstore.engine.task_data import TaskData

sys.path.insert(0, str(Path(__file__).parents[1]))
THREADS = torch.get_num_threads()
import tiny_models  # noqa: E402

torch.set_num_threads(THREADS)  # which tests have set to one

MEDIAN_LENGTH, SPREAD = 16, 0.6  # words in a text: log-normal, as those of many corpora of sentences
SEEDS = 5


@dataclass(frozen=True)
class Case:
    """A model of random weights and so many rows to train on."""

    config: Any
    rows: int
    batch_size: int


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


def texts(rows: int, rng: np.random.Generator) -> pa.Table:
    lengths = np.clip(rng.lognormal(np.log(MEDIAN_LENGTH), SPREAD, rows), 1, 120).astype(int)
    words = [" ".join(rng.choice(tiny_models.FILLER, length)) for length in lengths]
    return pa.table({"text": words, "label": pa.array(rng.integers(0, 2, rows), pa.int64())})


def data_of(case: Case) -> TaskData:
    rng = np.random.default_rng(0)
    text = isinstance(case.config, BertConfig)
    splits = [(texts if text else tiny_models.image_rows)(n, rng) for n in (case.rows, case.rows // 4, 4)]
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


def rows_of(run: FineTuning, split: str) -> list[dict[str, Any]]:
    """A split as `Trainer` takes it: what the engine feeds its model, row by row and without padding."""
    inputs, labels = run._split(split), run._labels[split]
    if not run.data.labels:
        labels = ((labels - run._mean) / run._deviation).astype(np.float32)
    every = (inputs.batch(np.array([row])) for row in range(len(inputs)))
    return [
        {**{name: values[0] for name, values in row.items()}, "labels": label}
        for row, label in zip(every, labels.tolist(), strict=True)
    ]


class Beside:
    """A `Trainer` that does what a run of the engine does."""

    def __init__(self, path: Path, run: FineTuning, folder: Path):
        data, options = run.data, run.options
        torch.manual_seed(options.seed)
        network = load_for_training("model", path, data.modality, data.labels)
        collator = None
        if data.modality == "text":
            tokenizer = run.preprocessor.tokenizer
            collator = DataCollatorWithPadding(tokenizer)
            run.preprocessor.config.pad_token_id = tokenizer.pad_token_id
        arguments = TrainingArguments(
            str(folder),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=finetune.EVALUATION_BATCH * options.batch_size,
            learning_rate=options.learning_rate,
            warmup_steps=max(1, round(finetune.WARM_UP * run.batches)),
            weight_decay=finetune.WEIGHT_DECAY,
            max_grad_norm=finetune.MAX_GRADIENT_NORM,
            bf16=run.precision == torch.bfloat16,
            use_cpu=run.device.type == "cpu",
            seed=options.seed,
            eval_strategy="epoch",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=run.device.type == "cuda",
        )
        train, validation = rows_of(run, "train"), rows_of(run, "validation")
        self.trainer = Trainer(
            network, arguments, data_collator=collator, train_dataset=train, eval_dataset=validation
        )
        self.trainer.remove_callback(PrinterCallback)

    def predict(self, run: FineTuning, split: str) -> np.ndarray:
        logits = self.trainer.predict(rows_of(run, split)).predictions
        return logits.argmax(axis=1) if run.data.labels else logits[:, 0]


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
    options = TrainingOptions(epochs=1, batch_size=case.batch_size)
    for number in range(rounds + 1):
        ours = FineTuning("model", folder / "model", data, options)
        theirs = Beside(folder / "model", ours, folder / "trainer")
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
            network = load_for_training(
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


def noisy(data: TaskData, rng: np.random.Generator) -> TaskData:
    """With a sixth of its labels drawn anew, so that no model is always right."""

    def changed(table: pa.Table) -> pa.Table:
        labels = table["label"].to_numpy().copy()
        moved = rng.random(len(labels)) < 1 / 6
        labels[moved] = rng.permutation(labels[moved])
        return table.set_column(table.column_names.index("label"), "label", pa.array(labels))

    return replace(
        data, train=changed(data.train), validation=changed(data.validation), test=changed(data.test)
    )


def scores() -> None:
    print("| task | model | engine | Trainer | difference | two standard errors |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    torch.set_num_threads(1)  # the models are tiny
    # Learning rates at which they are still on their way when training ends.
    for kind, model, learning_rate in (
        ("text", "bert", 1.6e-3),
        ("regression", "distilbert", 6e-4),
        ("image", "vit", 1e-5),
    ):
        draw, task, metric, modality, labels = tiny_models.KINDS[kind]
        rng = np.random.default_rng(1)
        splits = (draw(rows, rng) for rows in (256, 64, 512))
        data = noisy(TaskData(kind, task, metric, modality, labels, *splits), rng)
        found: dict[str, list[float]] = {"engine": [], "Trainer": []}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with quiet():
                make = tiny_models._image_model if kind == "image" else tiny_models._text_model
                torch.manual_seed(0)
                for part in make(model):
                    part.save_pretrained(folder / "model")
            for seed in range(SEEDS):
                options = TrainingOptions(epochs=3, batch_size=16, learning_rate=learning_rate, seed=seed)
                ours = FineTuning("model", folder / "model", data, options)
                theirs = Beside(folder / "model", ours, folder / "trainer")
                while len(ours.curve) < ours.stages:
                    ours.advance()
                theirs.trainer.train()
                found["engine"].append(ours.test())
                truth = data.test["label"].to_numpy()
                found["Trainer"].append(score(metric, theirs.predict(ours, "test"), truth))
        means = [float(np.mean(values)) for values in found.values()]
        error = sum(np.var(values, ddof=1) / SEEDS for values in found.values()) ** 0.5
        print(
            f"| {kind}, {metric} | {model} | {means[0]:.4f} | {means[1]:.4f} "
            f"| {means[0] - means[1]:+.4f} | {2 * error:.4f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["speed", "scores", []], default=["speed", "scores"])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--float32", action="store_true", help="also where the engine would take bfloat16")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    # Both have the rows prepared before they are timed; nothing is to be left in the user's cache.
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict("os.environ", MODELSTORE_CACHE=folder),
        mock.patch.object(
            finetune, "precision", (lambda *_: torch.float32) if arguments.float32 else finetune.precision
        ),
    ):
        if "speed" in arguments.parts:
            speed(arguments.cases.split(","), arguments.rounds, arguments.float32)
        if "scores" in arguments.parts:
            scores()


if __name__ == "__main__":
    main()
