"""Bounds before allocation: of a network, a text and an image."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from forked import run_program
from PIL import Image
from tiny_models import image_rows, png

import modelstore
from modelstore.data.bounded_files import read_beginning, read_bounded
from modelstore.errors import ModelError
from modelstore.training.inputs import text as text_inputs
from modelstore.training.inputs.image import ImagePreprocessor
from modelstore.training.inputs.image_bounds import check_processor, resized_pixels
from modelstore.training.inputs.loading import load_preprocessor, load_processor
from modelstore.training.loading import load_for_features

Paths = Callable[[str], Path]
Store = modelstore.Connection


def text_preprocessor(path: Path, max_length: int = 32) -> text_inputs.TextPreprocessor:
    network = load_for_features("m", path, "text", with_head=False).network
    loaded = load_preprocessor("m", path, "text", network, max_length)
    assert isinstance(loaded, text_inputs.TextPreprocessor)
    return loaded


def test_a_text_of_any_length_is_cut_before_it_is_tokenised(
    model_path: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path))
    preprocessor = text_preprocessor(model_path("bert"))
    longest: list[int] = []
    tokenizer = preprocessor.tokenizer

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __call__(self, *texts: list[str], **options: Any) -> Any:
            longest.append(max(len(text) for some in texts for text in some))
            return tokenizer(*texts, **options)

    preprocessor.tokenizer = Watched()
    words = "the film was good and the plot was bad " * 200_000
    tokens = preprocessor.encode(pa.table({"text": [words, "a film"], "text_pair": ["a plot", words]}))
    assert max(longest) == preprocessor.max_length * text_inputs.CHARACTERS_PER_TOKEN
    whole = tokenizer([words[:100_000]], ["a plot"], truncation=True, max_length=preprocessor.max_length)
    rows = tokens.batch(np.array([0]))["input_ids"].tolist()
    assert rows == whole["input_ids"]


def test_texts_cut_from_the_left_keep_their_ends(model_path: Paths) -> None:
    preprocessor = text_preprocessor(model_path("bert"))
    preprocessor.tokenizer.truncation_side = "left"
    text = "bad " * 50_000 + "good film"
    [cut] = list(preprocessor._chunks(pa.table({"text": [text]})))
    assert cut["text"][0].as_py() == text[-preprocessor.max_length * text_inputs.CHARACTERS_PER_TOKEN :]


def test_few_long_texts_are_tokenised_at_once(model_path: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an interruption does not wait for a thousand of them."""
    monkeypatch.setattr(text_inputs, "CHUNK_CHARACTERS", 100)
    monkeypatch.setattr(text_inputs, "CHUNK", 3)
    preprocessor = text_preprocessor(model_path("bert"))
    texts = ["a" * 90, "b" * 20, "c" * 20, "d" * 200, *"efgh"]
    chunks = [batch["text"].to_pylist() for batch in preprocessor._chunks(pa.table({"text": texts}))]
    assert [[text[0] for text in chunk] for chunk in chunks] == [
        ["a"],
        ["b", "c"],
        ["d"],
        ["e", "f", "g"],
        ["h"],
    ]
    assert preprocessor.encode(pa.table({"text": texts})).lengths.shape == (8,)


@pytest.mark.parametrize(
    "size", [{"height": 8000, "width": 8000}, {"shortest_edge": 5000}, {"height": 10**9, "width": 1}]
)
@pytest.mark.parametrize("name", ["size", "crop_size", "pad_size"])
def test_a_processor_of_huge_images_is_refused(name: str, size: dict[str, int]) -> None:
    with pytest.raises(ModelError, match=f"its {name}"):
        check_processor("m", SimpleNamespace(**{name: size}))
    with pytest.raises(ModelError, match="input_size"):
        check_processor("m", SimpleNamespace(data_config={"input_size": [3, 8000, 8000]}))
    check_processor("m", SimpleNamespace(size={"height": 224, "width": 224}, crop_size=None))


def test_an_image_may_not_become_huge_by_its_shape(model_path: Paths) -> None:
    processor = load_processor("m", model_path("convnext"), "image")
    assert resized_pixels(processor, 100, 100) == 256
    assert resized_pixels(processor, 1, 10_000_000) == pytest.approx(256 * 10_000_000)
    narrow = Image.new("RGB", (1, 10_000_000))
    with pytest.raises(ModelError, match="too long and narrow"):
        list(ImagePreprocessor("m", processor)._chunks([narrow]))


def test_large_images_are_processed_one_by_one(model_path: Paths) -> None:
    processor = load_processor("m", model_path("vit"), "image")
    images = [Image.new("RGB", (side, side)) for side in (20, 20, 5000, 5000, 20)]
    chunks = list(ImagePreprocessor("m", processor)._chunks(images))
    assert [(start, len(chunk)) for start, chunk in chunks] == [(0, 3), (3, 2)]


def test_images_that_memory_cannot_hold_are_refused(
    model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelstore.training.inputs.image.available_memory", lambda: 1000)
    data = SimpleNamespace(name="d", split=lambda name: image_rows(4, np.random.default_rng(5)))
    processor = load_processor("m", model_path("vit"), "image")
    with pytest.raises(modelstore.TrainingError, match=r"4 images take .* and .* of memory are free"):
        ImagePreprocessor("m", processor).split(data, "train")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["pipe", "/dev/zero", "folder", "nul\x00.png", "~nobody-of-this-name/a.png", "n" * 5000]
)
def test_an_image_that_is_no_file_is_named(path: str, store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "good.png").write_bytes(png(np.zeros((4, 4, 3), np.uint8)))
    bad = str(tmp_path / path) if path in ("pipe", "folder") else path
    paths = [str(tmp_path / "good.png")] * 19 + [bad]
    store.register("paths", pa.table({"image": paths, "label": [number % 2 for number in range(20)]}))
    store.execute("CREATE DATASET d AS SELECT * FROM paths")
    from modelstore.planner.datasets import load_dataset

    with pytest.raises(modelstore.DatasetError, match="cannot be read"):
        load_dataset(store.store, store.store.catalog.dataset("d"))


def test_a_dataset_that_is_a_pipe_or_a_device_is_refused(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    for path in (tmp_path / "rows.csv", Path("/dev/zero")):
        with pytest.raises(modelstore.DatasetError, match="no regular file"):
            store.execute(f"CREATE DATASET d FROM '{path}'")


def test_files_are_read_within_their_bounds(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    assert read_beginning(file, 3) == (b"123", True)
    assert read_beginning(file, 5) == (b"12345", False)
    with pytest.raises(OSError, match="5 bytes, more than the 4"):
        read_bounded(file, 4)
    for other in (tmp_path, Path("/dev/zero"), tmp_path / "none", Path("a\x00")):
        with pytest.raises(OSError, match=r"regular file|irectory|no path"):
            read_bounded(other, 10)


_PROGRAM = """
import json, resource, sys
import modelstore
from modelstore.training import finetune  # what torch itself takes is not the models'
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 5_000_000_000,) * 2)
with modelstore.connect() as store:
    store.execute("SET enable_progress_bar = false")  # DuckDB shows one to `python -c`
    models, datasets = json.loads(sys.argv[1])
    for name, path in models.items():
        store.execute("CREATE MODEL ? FROM ?", [name, path])
    for name, rows in datasets.items():
        store.execute(f"CREATE DATASET {name} AS {rows}")
    rows = store.execute(
        "BENCHMARK MODELS ON ALL DATASETS WITH (epochs = 1, learning_rate = 1e-3, max_length = 16, device = 'cpu')"
    ).fetchall()
    print(sorted((row[0], row[1], row[-1]) for row in rows))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory a process has")
def test_bombs_fit_in_little_memory(
    model_path: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    Image.new("1", (9_900, 9_900)).save(stream, "PNG")
    assert len(stream.getvalue()) < 40_000
    (tmp_path / "bomb.png").write_bytes(stream.getvalue())
    (tmp_path / "small.png").write_bytes(png(np.zeros((4, 4, 3), np.uint8)))
    models = {"good": model_path("bert"), "seeing": model_path("vit")}
    for name, entry in (
        ("words", "vocab_size"),
        ("wide", "intermediate_size"),
        ("far", "max_position_embeddings"),
    ):
        models[name] = Path(shutil.copytree(model_path("bert"), tmp_path / name))
        config = json.loads((models[name] / "config.json").read_text())
        (models[name] / "config.json").write_text(json.dumps(config | {entry: 10**11}))
    numbered = "i % 2 AS label FROM range(12) AS r(i)"
    datasets = {
        "texts": f"SELECT repeat('good film ', 500_000) AS text, {numbered}",
        "images": f"SELECT '{tmp_path}/' || if(i < 2, 'bomb', 'small') || '.png' AS image, {numbered}",
    }
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    done = run_program(_PROGRAM, json.dumps([{name: str(path) for name, path in models.items()}, datasets]))
    expected = [("far", "texts", "failed"), ("good", "texts", "done"), ("seeing", "images", "done")]
    expected += [("wide", "texts", "failed"), ("words", "texts", "failed")]
    assert done.stdout.strip() == str(expected), done.stderr[-2000:]
