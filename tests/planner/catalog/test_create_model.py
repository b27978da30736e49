"""`CREATE MODEL`: what a model's files say of it, and files that cannot be used."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_stub import HubStub
from safetensors.torch import load_file

import modelstore

Store = modelstore.Connection


def test_a_registered_model_is_described_by_its_files(zoo: Store) -> None:
    row = zoo.execute(
        "SELECT modality, architecture, parameters > 1000, labels, has_head "
        "FROM models WHERE name = 'bert_classifier'"
    ).fetchone()
    assert row == ("text", "BertForSequenceClassification", True, ["red", "green", "blue"], True)


def test_an_unusable_model_is_refused_with_its_reason(
    store: Store, model_copy: Callable[[str], Path]
) -> None:
    directory = model_copy("bert")
    weights = directory / "model.safetensors"
    weights.rename(directory / "pytorch_model.bin")
    with pytest.raises(modelstore.ModelError, match="pickle"):
        store.execute(f"CREATE MODEL m FROM '{directory}'")
    with pytest.raises(modelstore.ModelError):
        store.execute("CREATE MODEL m FROM '/nowhere'")
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)


CARD = """---
license: apache-2.0
language: [de, fr]
tags: [bert, reviews]
base_model: google-bert/bert-base-uncased
---
# A model
"""
DESCRIPTION = (
    "SELECT license, languages, tags, base_model, downloads, last_modified FROM models WHERE name = ?"
)


def test_a_models_card_can_be_filtered_by(store: Store, model_copy: Callable[[str], Path]) -> None:
    path = model_copy("bert")
    create(store, path)
    assert store.execute(DESCRIPTION, ["m"]).fetchall() == [(None,) * 6]
    (path / "README.md").write_text(CARD)
    create(store, path)
    assert store.execute(DESCRIPTION, ["m"]).fetchall() == [
        ("apache-2.0", ["de", "fr"], ["bert", "reviews"], "google-bert/bert-base-uncased", None, None)
    ]


def test_the_hub_says_how_often_a_model_was_downloaded(
    store: Store, hub: HubStub, model_path: Callable[[str], Path]
) -> None:
    record = {"downloads": 1234, "lastModified": "2026-03-04T05:06:07.000Z"}
    repository = hub.add("tiny", model_path("bert"), record=record)
    store.execute("CREATE MODEL m FROM 'hf://tiny'")
    asked = datetime(2026, 3, 4, 5, 6, 7)
    assert store.execute(DESCRIPTION, ["m"]).fetchall()[0][4:] == (1234, asked)
    repository.fault = 503
    store.execute("CREATE OR REPLACE MODEL m FROM 'hf://tiny'")  # from the cache
    assert store.execute(DESCRIPTION, ["m"]).fetchall()[0][4:] == (None, None)


def create(store: Store, path: Path) -> None:
    store.execute(f"CREATE OR REPLACE MODEL m FROM '{path}'")


@pytest.mark.parametrize(
    "part",
    [{"model": {"type": "Later"}}, {"pre_tokenizer": {"type": "Later"}}, {"version": "2.0"}],
)
def test_a_tokenizer_of_a_newer_version_is_named(
    part: dict[str, Any], store: Store, model_copy: Callable[[str], Path]
) -> None:
    path = model_copy("bert")
    file = path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | part))
    with pytest.raises(
        modelstore.ModelError,
        match=r"its tokenizer.json has a part that the installed tokenizers \d.* pip install -U tokenizers",
    ):
        create(store, path)
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)


def test_a_vocabulary_in_pieces_alone_names_the_packages(
    store: Store, model_copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_copy("albert")
    (path / "tokenizer.json").unlink()
    (path / "spiece.model").write_bytes(b"\n\x00")
    monkeypatch.setattr("modelstore.training.inputs.loading.is_protobuf_available", lambda: False)
    with pytest.raises(
        modelstore.ModelError, match=r"in spiece.model alone, .*: pip install sentencepiece protobuf"
    ):
        create(store, path)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_vocabulary_as_the_first_versions_wrote_it_is_read(
    kind: str, store: Store, model_copy: Callable[[str], Path], model_path: Callable[[str], Path]
) -> None:
    from modelstore.training.inputs.loading import load_processor

    path = model_copy(kind)
    model = json.loads((path / "tokenizer.json").read_text())["model"]
    words = sorted(model["vocab"], key=model["vocab"].get)
    if kind == "bert":
        (path / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    else:
        (path / "vocab.json").write_text(json.dumps(model["vocab"]))
        (path / "merges.txt").write_text("".join(" ".join(pair) + "\n" for pair in model["merges"]))
    (path / "tokenizer.json").unlink()
    (path / "tokenizer_config.json").unlink()
    create(store, path)
    found, expected = (load_processor("m", one, "text") for one in (path, model_path(kind)))
    assert found(" the good film")["input_ids"] == expected(" the good film")["input_ids"]
    assert len(found) - len(expected) in (0, 1)  # a mask


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("vit", {"feature_extractor_type": "ViTFeatureExtractor", "size": 16}),
        ("vit", {"size": 16}),
        ("vit", {"image_processor_type": "ViTImageProcessorFast", "size": 16}),
        ("vit", {"image_processor_type": "ViTFeatureExtractor", "size": 16}),
        ("vit", {"feature_extractor_type": "ImageFeatureExtractionMixin", "size": 16}),
        ("convnext", {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 16}),
    ],
)
def test_an_image_processor_under_its_old_name_is_read(
    kind: str, settings: dict[str, Any], store: Store, model_copy: Callable[[str], Path]
) -> None:
    path = model_copy(kind)
    (path / "preprocessor_config.json").write_text(json.dumps(settings))
    create(store, path)
    (path / "preprocessor_config.json").write_text('{"image_processor_type": "Later"}')
    with pytest.raises(modelstore.ModelError, match=r"the image processor of model m cannot be loaded from"):
        create(store, path)


def test_a_pickled_model_is_trained_and_selected(
    store: Store, model_copy: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """The catalog keeps the address as it was written, and nothing of the libraries is printed."""
    from tiny_models import TINY, create_text_dataset

    path = model_copy("bert")
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    create(store, path)
    assert store.execute("SELECT uri FROM models").fetchall() == [(str(path),)]
    create_text_dataset(store, "easy", 64, 1)
    rows = store.execute(
        f"SELECT BEST MODEL FOR easy USING brute_force WITH ({TINY}, device = 'cpu')"
    ).fetchall()
    assert len(rows) == 1
    assert capfd.readouterr().err == ""


def test_a_converted_model_is_named_by_its_own_address(
    store: Store, model_copy: Callable[[str], Path]
) -> None:
    path = model_copy("bert")
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    (path / "tokenizer.json").write_text("{}")
    with pytest.raises(modelstore.ModelError, match=f"of model m cannot be loaded from {path}"):
        create(store, path)
    (path / "tokenizer.json").unlink()
    with pytest.raises(modelstore.ModelError, match=f"model {path} has no tokenizer"):
        create(store, path)
