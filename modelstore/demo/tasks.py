"""The demonstration's tasks: Parquet files of texts or images with a label and a split.

The split of a row depends on what it was made from, by the same rule that holds passages out of the corpora: no
model was pretrained on a test row.
"""

import math
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelstore.demo import images, prose
from modelstore.demo.pretrain import Examples
from modelstore.demo.prose import Definition, definitions, share

ROWS = 700
TEXT_TARGET, IMAGE_TARGET = "area", "digit_on_photo"

Row = dict[str, Any]


def split(key: str) -> str:
    """The split of a row: of the held-out quarter 15 in 100 are test and 10 validation; the rest is train."""
    if not prose.held_out(key):
        return "train"
    return "test" if share(key) < 0.15 else "validation"


def _row(key: str, label: Any, **columns: Any) -> Row:
    return {**columns, "label": label, "split": split(key)}


def _balanced(rows: Iterable[Row], classes: int | None = None, total: int = ROWS) -> list[Row]:
    """Draws as many rows of each class, in random order; of the ``classes`` largest, or of all."""
    by_label = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    labels = sorted(by_label, key=lambda label: (-len(by_label[label]), label))[:classes]
    drawn = random.Random(0)
    kept = []
    for label in labels:
        drawn.shuffle(by_label[label])
        kept += by_label[label][: total // len(labels)]
    drawn.shuffle(kept)
    return kept


def _documented(*packages: str, shortest: int = 30) -> list[Definition]:
    return [d for package in packages for d in definitions(package) if len(d.text) >= shortest]


# ---- text


def package() -> list[Row]:
    """Which package a docstring is from."""
    return _balanced(_row(d.key, d.package, text=d.text[:240]) for d in _documented(*prose.FOLDERS))


def kind() -> list[Row]:
    """Whether a summary line describes a function, a method, a class or a module."""
    return _balanced(
        _row(d.key, d.kind, text=d.summary[:200]) for d in _documented("stdlib", "torch", "sklearn", "scipy")
    )


def topic() -> list[Row]:
    """Which page of the language reference a paragraph is from."""
    return _balanced((_row(text, topic, text=text[:300]) for topic, text in prose.reference()), classes=6)


def register() -> list[Row]:
    """Whether a text is a docstring, code, a licence or the language reference."""
    rows = [_row(text, "reference", text=text[:200]) for _, text in prose.reference()]
    rows += [_row(text, "legal", text=text[:200]) for text in prose.legal()]
    for d in _documented("sklearn", "transformers"):
        rows.append(_row(d.key, "documentation", text=d.text[:200]))
        if len(d.code) >= 60:
            rows.append(_row(d.key, "code", text=prose.one_line(d.code)[:200]))
    return _balanced(rows)


def source_length() -> list[Row]:
    """The length of a function, as the decimal logarithm of its lines, predicted from its docstring."""
    found = [d for d in _documented("scipy", "sklearn", "torch") if d.kind in ("function", "method")]
    random.Random(0).shuffle(found)
    return [_row(d.key, round(math.log10(d.lines), 3), text=d.text[:300]) for d in found[:ROWS]]


def area() -> list[Row]:
    """Which part of SciPy or scikit-learn a docstring is from: the demonstration's text target."""
    found = [d for d in _documented("scipy", "sklearn") if d.area not in (".", "utils")]
    return _balanced((_row(d.key, d.area, text=d.text[:240]) for d in found), classes=8)


# ---- images


def digit_key(index: int) -> str:
    """What the split of a digit depends on."""
    return f"digit {index}"


def _chosen(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(len(images.digits()[0]))[:count]


def _pictures(pictures: np.ndarray, labels: Sequence[str], keys: Sequence[str]) -> list[Row]:
    return [
        _row(key, label, image=images.png(picture))
        for picture, label, key in zip(pictures, labels, keys, strict=True)
    ]


def digit() -> list[Row]:
    """Which digit is written, in colour."""
    grey, digits = images.digits()
    chosen = _chosen(ROWS, 1)
    labels = [str(digit) for digit in digits[chosen]]
    return _pictures(images.coloured(grey[chosen], 1), labels, [digit_key(i) for i in chosen])


def digit_turn() -> list[Row]:
    """By how many degrees a digit is turned."""
    chosen = _chosen(ROWS, 3)
    turned, turns = images.rotated(images.coloured(images.digits()[0][chosen], 3), 3)
    return _pictures(turned, turns, [digit_key(i) for i in chosen])


def photo_cell() -> list[Row]:
    """Which photograph, and which quarter of it, a crop is from."""
    crops, photos, cells = images.photo_crops(ROWS, 4)
    labels = [f"{photo} {cell}" for photo, cell in zip(photos, cells, strict=True)]
    return _pictures(crops, labels, [f"cell {i}" for i in range(ROWS)])


def digit_on_photo() -> list[Row]:
    """Which digit is written over a crop: the demonstration's image target."""
    grey, digits = images.digits()
    chosen = _chosen(ROWS, 7)
    ink = grey[chosen][..., None] / 255.0
    crops = images.photo_crops(ROWS, 7)[0]
    pictures = (crops * (1 - ink) * 0.7 + 255 * ink).astype(np.uint8)
    return _pictures(pictures, [str(digit) for digit in digits[chosen]], [digit_key(i) for i in chosen])


TEXT_TASKS = {task.__name__: task for task in (package, kind, topic, register, source_length, area)}
IMAGE_TASKS = {task.__name__: task for task in (digit, digit_turn, photo_cell, digit_on_photo)}
TASKS = TEXT_TASKS | IMAGE_TASKS


def write(folder: Path, name: str) -> Path:
    """Writes the file of a task unless it exists; it is renamed when complete, so that no partial file is left."""
    file = folder / f"{name}.parquet"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{name}-{os.getpid()}.parquet"
        pq.write_table(pa.Table.from_pylist(TASKS[name]()), partial)
        os.replace(partial, file)
    return file


def training_examples(file: Path) -> Examples:
    """The train rows of a text task's file, for a model to be fine-tuned on."""
    rows = [row for row in pq.read_table(file).to_pylist() if row["split"] == "train"]
    return Examples([row["label"] for row in rows], texts=[row["text"] for row in rows])
