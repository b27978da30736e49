"""Model directories and images with values, bytes and files changed at random."""

import io
import json
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import torch
from PIL import Image

import modelstore
from attacks.trial import Attack, Trial
from attacks.watched import Say, Work, watched
from modelstore.libraries import quiet

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import tiny_models

BATCH = 100
KINDS = ("bert", "distilbert", "gpt2", "vit", "resnet")
MEMORY = 6 * 2**30  # bytes of address space beside what is taken already
OPTIONS = "epochs = 1, learning_rate = 1e-3, batch_size = 8, max_length = 16, device = 'cpu'"
VALUES: list[Any] = [None, True, -1, 0, 1, 2, 10**9, 10**30, 1.5, "", "512", "../x", "/etc/passwd", [], {}]
VALUES += [[[]], {"a": {}}, "x" * 10_000, float("nan"), [None] * 3, "auto", "\u001b[2J", "BertModel"]


def _prepare(folder: Path) -> Callable[[int], Trial]:
    for kind in KINDS:
        made = tiny_models._image_model(kind) if kind in ("vit", "resnet") else tiny_models._text_model(kind)
        with quiet():
            for part in made:
                part.save_pretrained(folder / kind)

    def trial(number: int) -> Trial:
        place = folder / f"batch-{number}"
        place.mkdir(exist_ok=True)
        seeds = [str(number * BATCH + one) for one in range(BATCH)]
        problems = watched(partial(_begin, folder, place), seeds, lambda _: 10)
        shutil.rmtree(place)
        return Trial("; ".join(f"seed {seed}: {what}" for seed, what in problems[:5]) or None)

    return trial


def _begin(folder: Path, place: Path) -> Work:
    """What is done with a seed, once all that it takes is imported, within a limit of memory."""
    torch.set_num_threads(1)
    with modelstore.connect() as store:
        store.execute(f"CREATE MODEL m FROM '{folder / 'bert'}'")
        _texts(store)
        store.execute(f"BENCHMARK MODELS ON d WITH ({OPTIONS})")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    return partial(_try, folder, place)


def _try(folder: Path, place: Path, seed: str, say: Say) -> None:
    """Registers what a seed makes, trains on it where it is taken, and says what is wrong with how that ends."""
    chance = random.Random(seed)
    kind = chance.choice(KINDS)
    model, images = place / "model", kind in ("vit", "resnet")
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(folder / kind, model)
    for _ in range(chance.randint(1, 3)):
        # Not what is a link already: to write to it would change what it leads to.
        _change(chance, chance.choice([path for path in sorted(model.iterdir()) if not path.is_symlink()]))
    with modelstore.connect(place / f"{seed}.db") as store:
        try:
            store.execute(f"CREATE MODEL m FROM '{model}'")
            _images(chance, store) if images else _texts(store)
        except duckdb.Error:
            return  # a sentence, and nothing registered
        with suppress(duckdb.Error):
            store.execute(f"BENCHMARK MODELS ON d WITH ({OPTIONS})").fetchall()
        recorded = (
            "SELECT (SELECT count(*) FROM benchmark_results) + (SELECT count(*) FROM benchmark_failures)"
        )
        if store.execute(recorded).fetchone() != (1,):
            say("neither a result nor a failure is on record")
    (place / f"{seed}.db").unlink()


def _texts(store: modelstore.Connection) -> None:
    store.execute(
        "CREATE DATASET d AS SELECT 'good film ' || i AS text, (i % 2)::VARCHAR AS label FROM range(24) t(i)"
    )


def _images(chance: random.Random, store: modelstore.Connection) -> None:
    rows = []
    for number in range(24):
        file = io.BytesIO()
        kind = chance.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF"])
        Image.new("RGB", (16, 16), (number * 9, 255 * (number % 2), 30)).save(file, kind)
        data = bytearray(file.getvalue())
        if chance.random() < 0.1:
            data = _bytes(chance, data)
        rows.append((bytes(data), str(number % 2)))
    store.execute("CREATE TABLE pictures (image BLOB, label VARCHAR)")
    store.executemany("INSERT INTO pictures VALUES (?, ?)", rows)
    store.execute("CREATE DATASET d AS SELECT * FROM pictures")


def _change(chance: random.Random, path: Path) -> None:
    """Changes a file: a value of its JSON, its bytes, its length, or what it is."""
    way = chance.random()
    data = path.read_bytes()
    if way < 0.6 and path.suffix == ".json":
        with suppress(ValueError):  # where it was changed before
            path.write_text(json.dumps(_values(chance, json.loads(data))))
    elif way < 0.7:
        path.unlink()
    elif way < 0.75:
        path.unlink()
        path.symlink_to(chance.choice(["/etc/passwd", "/dev/zero", "..", "nowhere"]))
    elif way < 0.8:
        path.rename(
            path.with_name(chance.choice(["README.md", "a b", "ü.json", "model-00001-of-00002.safetensors"]))
        )
    else:
        path.write_bytes(_bytes(chance, bytearray(data)))


def _values(chance: random.Random, data: Any) -> Any:
    """The data with one value, somewhere, replaced, removed or added."""
    if isinstance(data, dict) and data and chance.random() < 0.8:
        key = chance.choice(sorted(data))
        if chance.random() < 0.1:
            return {name: value for name, value in data.items() if name != key}
        return data | {key: _values(chance, data[key])}
    if isinstance(data, list) and data and chance.random() < 0.6:
        at = chance.randrange(len(data))
        return [*data[:at], _values(chance, data[at]), *data[at + 1 :]]
    return chance.choice(VALUES)


def _bytes(chance: random.Random, data: bytearray) -> bytearray:
    """Bytes changed, cut off or put in; those of the beginning more often."""
    way = chance.random()
    if not data or way < 0.2:
        return data[: chance.randrange(len(data) + 1)]
    if way < 0.3:
        at = chance.randrange(len(data))
        return data[:at] + chance.randbytes(chance.choice([1, 8, 4096])) + data[at:]
    for _ in range(chance.choice([1, 3, 30])):
        at = chance.randrange(min(len(data), chance.choice([8, 64, 1024, len(data)])))
        data[at] = chance.randrange(256)
    return data


HOSTILE = Attack("hostile model directories and images", 100, _prepare, ("directories", BATCH))
