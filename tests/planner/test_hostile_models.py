"""Model directories that were made to break things: each is refused, or fails alone; none ends a statement."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import TINY

import modelstore
from modelstore import UnexpectedError

Store = modelstore.Connection
Copy = Callable[[str], Path]
VALUES: list[Any] = [None, True, 0, -1, 3.5, 1e308, float("nan"), 10**9, 10**30, "", "512", "\x00", "x" * 300]
VALUES += [[], [None], ["a"], [[]], {}, {"a": None}, {"0": [1]}, "../..", {"a": {"b": [1, {"c": None}]}}]
NAMES = {
    "config.json": [
        "num_labels",
        "id2label",
        "label2id",
        "architectures",
        "problem_type",
        "model_type",
        "auto_map",
        "dtype",
        "quantization_config",
        "num_hidden_layers",
        "hidden_size",
        "vocab_size",
        "architecture",
        "pretrained_cfg",
        "num_classes",
        "label_names",
    ],
    "tokenizer_config.json": ["model_max_length", "tokenizer_class", "pad_token", "added_tokens_decoder"],
    "tokenizer.json": ["model", "added_tokens", "normalizer", "pre_tokenizer", "truncation", "version"],
    "preprocessor_config.json": ["size", "crop_size", "image_processor_type", "image_mean"],
    "adapter_config.json": ["peft_type", "base_model_name_or_path", "revision", "auto_mapping"],
    "modules.json": ["idx", "path"],
    "model.safetensors.index.json": ["weight_map", "metadata"],
}


def edit(path: Path, name: str, **entries: Any) -> Path:
    file = path / name
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | entries))
    return path


def with_header(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Changes the header of a model's weights."""
    file = path / "model.safetensors"
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return path


def refusal(store: Store, path: Path | str) -> str:
    """The error by which a directory is refused, which must be foreseen and one line."""
    with pytest.raises(modelstore.Error) as caught:
        store.execute("CREATE MODEL m FROM $path", {"path": str(path)})
    assert not isinstance(caught.value, UnexpectedError)
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)
    return str(caught.value).split("\n\nLINE")[0]


@pytest.mark.parametrize(
    "entries",
    [
        {"num_labels": "three", "id2label": None, "label2id": None},
        {"num_labels": -1, "id2label": None, "label2id": None},
        {"num_labels": 10**9, "id2label": None, "label2id": None},
        {"num_labels": float("inf"), "id2label": None, "label2id": None},
        {"num_labels": [2], "id2label": None, "label2id": None},
        {"id2label": 5},
        {"id2label": {"a": None, "b": {}}, "label2id": None},
        {"architectures": "BertModel"},
        {"architectures": {"a": 1}},
        {"architectures": [None]},
        {"architectures": 7},
        {"problem_type": ["single_label_classification"]},
        {"model_type": ["bert"]},
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 10**30},
    ],
)
def test_a_config_of_wrong_types_or_sizes_is_refused(
    entries: dict[str, Any], store: Store, model_copy: Copy
) -> None:
    message = refusal(store, edit(model_copy("bert_classifier"), "config.json", **entries))
    assert "config.json" in message
    assert len(message) < 500


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, '{"n": ' + "9" * 6000 + "}", "", "3", "\x00"]
)
@pytest.mark.parametrize("name", ["config.json", "modules.json", "adapter_config.json"])
def test_json_that_is_deep_or_broken_is_refused(name: str, text: str, store: Store, model_copy: Copy) -> None:
    path = model_copy("bert")
    if name == "adapter_config.json":
        (path / "model.safetensors").rename(path / "adapter_model.safetensors")
    (path / name).write_text(text)
    assert name in refusal(store, path)


@pytest.mark.parametrize(
    "weight_map", [[], "model.safetensors", {"a": None}, {"a": ["b"]}, {"a": 5}, {"a": "/etc/passwd"}]
)
def test_an_index_that_names_no_files_is_refused(weight_map: Any, store: Store, model_copy: Copy) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    assert "index" in refusal(store, edit(path, "model.safetensors.index.json", weight_map=weight_map))


@pytest.mark.parametrize(
    "tensor",
    [
        None,
        5,
        {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4]},
        {"dtype": "", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": 5, "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_a_header_that_lies_is_refused(tensor: Any, store: Store, model_copy: Copy) -> None:
    path = with_header(model_copy("bert"), lambda header: header.update({"cls.weight": tensor}))
    assert "is no complete safetensors file" in refusal(store, path)


@pytest.mark.parametrize(
    "uri", ["/" + "a" * 300, "/x" * 5000, "a\x00b", "~nobody-of-this-name/model", "\ud800"]
)
def test_a_path_that_cannot_be_one_is_refused(uri: str, store: Store) -> None:
    assert len(refusal(store, uri)) < 500
    with pytest.raises(modelstore.Error) as caught:
        store.execute("CREATE DATASET d FROM $uri", {"uri": uri})
    assert not isinstance(caught.value, UnexpectedError)


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "model.safetensors", "vocab.txt", "chat_template.jinja", "anything"],
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_read(name: str, kind: str, store: Store, model_copy: Copy) -> None:
    path = model_copy("bert")
    (path / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path / name)
    else:
        (path / name).symlink_to("/dev/zero")
    assert name in refusal(store, path)


def test_a_long_card_is_cut(store: Store, model_copy: Copy) -> None:
    path = model_copy("bert")
    with (path / "README.md").open("wb") as file:
        file.write("ü".encode() * 10)
        file.truncate(50_000_000_000)  # of which no block is on disk
    store.execute(f"CREATE MODEL m FROM '{path}'")
    assert store.execute(
        "SELECT length(card) < 2_000_000, starts_with(card, 'üü') FROM models"
    ).fetchone() == (True, True)


def test_a_huge_header_or_file_of_settings_is_not_read(store: Store, model_copy: Copy) -> None:
    path = model_copy("bert")
    with (path / "tokenizer.json").open("r+b") as file:
        file.truncate(50_000_000_000)
    assert "tokenizer.json has 50,000,000,000 bytes" in refusal(store, path)
    shutil.rmtree(path)
    path = model_copy("bert")
    with (path / "model.safetensors").open("wb") as file:
        file.write((16 * 2**30).to_bytes(8, "little"))
        file.truncate(2**35)
    assert "its header has 17,179,869,184 bytes" in refusal(store, path)


@pytest.mark.parametrize("seed", range(6))
def test_mutated_directories_raise_foreseen_errors_alone(
    seed: int, store: Store, model_path: Copy, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    for number in range(12):
        kind = draw.choice(["bert_classifier", "gpt2", "vit_classifier", "roberta"])
        path = Path(shutil.copytree(model_path(kind), tmp_path / str(number)))
        done = [_mutate(draw, path) for _ in range(draw.choice([1, 1, 2]))]
        try:
            store.execute(f"CREATE OR REPLACE MODEL m FROM '{path}'")
        except UnexpectedError as error:
            raise AssertionError(f"{kind}: {done}") from error
        except modelstore.Error:
            pass


def _mutate(draw: random.Random, path: Path) -> str:
    """Spoils one file of a directory; returns what was done."""
    name = draw.choice(list(NAMES))
    file = path / name
    content = json.loads(file.read_text()) if file.exists() else {}
    places = [place for place in _places(content) if place]
    if places and draw.random() < 0.6:
        place, value = draw.choice(places), draw.choice(VALUES)
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
    else:
        place, value = (draw.choice(NAMES[name]),), draw.choice(VALUES)
        content[place[0]] = value
    file.write_text(json.dumps(content))
    return f"{name} {place} = {value!r}"


def _places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content[:5])
        if isinstance(content, list)
        else ()
    )
    for key, value in list(inner)[:40]:
        yield from _places(value, (*at, key))


class Panic(BaseException):
    """What a library in native code raises: no Exception."""


def spoil(how: str, path: Path) -> None:
    """Makes a model that is registered as any other, and cannot be trained."""
    match how:
        case "length":
            edit(path, "tokenizer_config.json", model_max_length="512")
        case "no length":
            edit(path, "tokenizer_config.json", model_max_length=-1)
        case "vocabulary":
            edit(path, "config.json", vocab_size=10**10)
        case "width":
            edit(path, "config.json", hidden_size=10**7)
        case "not numbers":
            weights = load_file(path / "model.safetensors")
            next(iter(weights.values())).view(-1)[0] = torch.nan
            save_file(weights, path / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("how", ["length", "no length", "vocabulary", "width", "not numbers"])
def test_a_model_that_cannot_be_trained_fails_alone(how: str, zoo: Store, model_copy: Copy) -> None:
    path = model_copy("bert_classifier")
    spoil(how, path)
    zoo.execute(f"CREATE MODEL a_spoilt FROM '{path}'")
    names = "name IN ('a_spoilt', 'bert')"
    rows = zoo.execute(f"BENCHMARK MODELS WHERE {names} ON texts WITH ({TINY})").fetchall()
    assert [(row[0], row[-1]) for row in rows] == [("a_spoilt", "failed"), ("bert", "done")]
    [(reason,)] = zoo.execute("SELECT reason FROM benchmark_failures").fetchall()
    assert "a_spoilt" in reason
    assert "learning_rate" not in reason
    [row] = zoo.execute(f"SELECT BEST MODEL FOR texts WHERE {names} WITH ({TINY})").fetchall()
    assert row[1] == "bert"
    scored = zoo.execute(f"RECALL 2 MODELS FOR texts WHERE {names} USING logme").fetchall()
    assert "bert" in [row[1] for row in scored]


@pytest.mark.parametrize(
    "error", [Panic("index out of bounds"), MemoryError(), RecursionError(), KeyError("x")]
)
def test_whatever_a_library_raises_fails_the_pair_alone(
    error: BaseException, zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.training.inputs.text import TextPreprocessor

    encode = TextPreprocessor.encode

    def fail_for_bert(self: TextPreprocessor, table: Any) -> Any:
        if self.model == "bert":
            raise error
        return encode(self, table)

    monkeypatch.setattr(TextPreprocessor, "encode", fail_for_bert)
    names = "name IN ('bert', 'distilbert')"
    rows = zoo.execute(f"BENCHMARK MODELS WHERE {names} ON texts WITH ({TINY})").fetchall()
    assert [(row[0], row[-1]) for row in rows] == [("bert", "failed"), ("distilbert", "done")]
    [row] = zoo.execute(f"SELECT BEST MODEL FOR others WHERE {names} WITH ({TINY})").fetchall()
    assert row[1] == "distilbert"
    actions = zoo.execute("SELECT action FROM selection_stages WHERE model = 'bert'").fetchall()
    assert actions == [("failed",)]
    assert zoo.execute(f"RECALL 2 MODELS FOR pairs WHERE {names} USING logme").fetchall()
    with pytest.raises(modelstore.Error):
        zoo.execute(f"SELECT BEST MODEL FOR others WHERE name = 'bert' WITH ({TINY}, reuse = false)")
    with pytest.raises(modelstore.Error):
        zoo.execute("CLUSTER MODELS WITH (similarity = 'text', encoder = 'bert')")
