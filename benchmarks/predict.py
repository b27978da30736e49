"""`predict` in SQL beside a batched loop written by hand and the `pipeline` of transformers, on the same model.

    python benchmarks/predict.py
    python benchmarks/predict.py --memory

The model is a BERT of random weights, and the texts are of 3 to 60 words. All take turns, so that whatever else the
machine does slows all; the ratios are of the medians of their rounds. With `--memory`, a tiny model predicts for 100
thousand and then for a million rows, each in a process of its own, and the peak of its memory is compared.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)
from transformers.utils.logging import disable_progress_bar

import modelstore

ROWS, ROUNDS, BATCH = 20_000, 3, 32
SIZES = {"small": (2, 64, 2), "tiny": (1, 32, 2)}  # layers, width, heads
# In a process of its own: this one has imported torch.
FIRST = """
import sys, time
import modelstore
with modelstore.connect(sys.argv[1]) as connection:
    times = [time.perf_counter()]
    from transformers import AutoModelForSequenceClassification
    times.append(time.perf_counter())
    for _ in range(2):
        connection.execute("SELECT predict('small', 'w1')").fetchall()
        times.append(time.perf_counter())
imports, first, second = (after - before for before, after in zip(times, times[1:]))
print(f"the first call of a process: {imports:.1f} s to import torch and transformers, {first:.1f} s for the rest; "
      f"the second: {1e3 * second:.0f} ms")
"""
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def make_model(path: Path, size: str) -> None:
    """Saves a BERT of random weights with a head of three classes, and a tokenizer of 2,000 words."""
    words = [*SPECIAL, *(f"w{number}" for number in range(2000))]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    layers, width, heads = SIZES[size]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        num_labels=3,
        initializer_range=0.2,
    )
    BertForSequenceClassification(config).save_pretrained(path)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names).save_pretrained(path)


def make_texts(rows: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(f"w{word}" for word in rng.integers(0, 2000, rng.integers(3, 61))) for _ in range(rows)]


def by_hand(path: Path, texts: list[str], device: str) -> list[str]:
    """What one writes without a library: batches in the order of the rows, padded to their longest."""
    tokenizer = AutoTokenizer.from_pretrained(path)
    network = AutoModelForSequenceClassification.from_pretrained(path).eval().to(device)
    names, labels = network.config.id2label, list[str]()
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                texts[start : start + BATCH], padding=True, truncation=True, return_tensors="pt"
            )
            labels += [names[one] for one in network(**batch.to(device)).logits.argmax(dim=1).tolist()]
    return labels


def sorted_by_hand(path: Path, texts: list[str], device: str) -> list[str]:
    """The same with all texts sorted by length first: the least padding, for who has all texts in memory."""
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    labels = dict(zip(order, by_hand(path, [texts[row] for row in order], device), strict=True))
    return [labels[row] for row in range(len(texts))]


def by_pipeline(path: Path, texts: list[str], device: str) -> list[str]:
    classify = pipeline("text-classification", str(path), device=device, batch_size=BATCH)
    return [str(one["label"]) for one in classify(texts, truncation=True)]


def compare(rows: int, device: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, database = Path(folder) / "small", f"{folder}/zoo.db"
        make_model(path, "small")
        with modelstore.connect(database) as connection:
            connection.execute(f"CREATE MODEL small FROM '{path}'")
        subprocess.run([sys.executable, "-c", FIRST, database], check=True)
        with modelstore.connect(database) as connection:
            compare_on(connection, path, rows, device)


def compare_on(connection: modelstore.Connection, path: Path, rows: int, device: str) -> None:
    texts = make_texts(rows)
    connection.execute(f"SET VARIABLE modelstore_device = '{device}'")
    connection.execute("CREATE TABLE texts AS SELECT unnest($1) AS text", [texts])

    def in_sql() -> list[str]:
        return [row[0] for row in connection.execute("SELECT predict('small', text) FROM texts").fetchall()]

    ways: dict[str, Callable[[], list[str]]] = {
        "predict": in_sql,
        "a batched loop by hand": lambda: by_hand(path, texts, device),
        "that, sorted by length": lambda: sorted_by_hand(path, texts, device),
        "pipeline": lambda: by_pipeline(path, texts, device),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[str]] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            answers[name] = way()
            seconds[name].append(time.perf_counter() - began)
    taken = {name: statistics.median(of_rounds) for name, of_rounds in seconds.items()}
    print(
        f"| {rows:,} texts | rows a second | `predict` beside it | labels that agree |\n| --- | --- | --- | --- |"
    )
    for name, median in taken.items():
        same = sum(map(str.__eq__, answers[name], answers["predict"])) / rows
        print(f"| {name} | {rows / median:,.0f} | {median / taken['predict']:.2f} | {same:.2%} |")


def measure_memory(rows: int) -> None:
    """Prints the peak memory of this process, which predicts for so many rows."""
    with tempfile.TemporaryDirectory() as folder, modelstore.connect(Path(folder) / "zoo.db") as connection:
        make_model(Path(folder) / "tiny", "tiny")
        connection.execute(f"CREATE MODEL tiny FROM '{folder}/tiny'")
        connection.execute("SET VARIABLE modelstore_device = 'cpu'")
        sql = f"SELECT predict('tiny', 'w' || i % 2000) AS label, count(*) FROM range({rows}) AS _(i) GROUP BY label"
        began = time.perf_counter()
        connection.execute(sql).fetchall()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {rows:,} | {peak:,.0f} MB | {rows / seconds:,.0f} |", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    disable_progress_bar()
    if given.memory_of:
        measure_memory(given.memory_of)
    elif given.memory:
        print("| rows | peak memory | rows a second |\n| --- | --- | --- |")
        for rows in (100_000, 1_000_000):
            subprocess.run([sys.executable, __file__, "--memory-of", str(rows)], check=True)
    else:
        compare(given.rows, given.device)


if __name__ == "__main__":
    main()
