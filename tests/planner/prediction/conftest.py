"""A store of models that predict something of every kind, with random weights."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import WIDTH
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
)

import modelstore
from modelstore.libraries import quiet

ODD = ["it's", "a, b", "[c]", "", " ", "NULL", 'd"e', "back\\slash", "ä"]
TAGS = ["O", "B-X", "I-X"]
_HEADS: dict[str, tuple[Any, list[str], str | None]] = {
    "many": (BertForSequenceClassification, ODD, "multi_label_classification"),
    "number": (BertForSequenceClassification, ["LABEL_0"], "regression"),
    "tagger": (BertForTokenClassification, TAGS, None),
    "two": (BertForSequenceClassification, ["red", "green", "blue"], None),  # as bert_classifier has
}


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> dict[str, Path]:
    """The paths of models by name; vote is an ensemble of bert_classifier and two."""
    root = tmp_path_factory.mktemp("heads")
    paths = {kind: model_path(kind) for kind in ("bert", "bert_classifier", "vit_classifier")}
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(paths["bert"])
        for seed, (name, (network, labels, problem)) in enumerate(_HEADS.items()):
            config = BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
                id2label=dict(enumerate(labels)),
                label2id={label: i for i, label in enumerate(labels)},
                problem_type=problem,
                initializer_range=0.5,  # so that outputs differ by row
            )
            with torch.random.fork_rng([]):
                torch.manual_seed(seed)
                network(config).save_pretrained(root / name)
            tokenizer.save_pretrained(root / name)
            paths[name] = root / name
    members = [("bert_classifier", 0.75), ("two", 0.25)]
    listed = [{"model": one, "weight": weight, "checkpoint": str(paths[one])} for one, weight in members]
    paths["vote"] = root / "vote.json"
    paths["vote"].write_text(json.dumps({"ensemble": listed}))
    return paths


@pytest.fixture(scope="package")
def predicting(
    tmp_path_factory: pytest.TempPathFactory, models: dict[str, Path]
) -> Iterator[modelstore.Connection]:
    """A connection to a store of `models`. Not to be changed: see `cursor`."""
    with modelstore.connect(tmp_path_factory.mktemp("store") / "zoo.db") as connection:
        for name, path in models.items():
            if path.is_dir():
                connection.execute(f"CREATE MODEL {name} FROM '{path}'")
            else:
                connection.execute(
                    "INSERT INTO models (name, uri, modality) VALUES (?, ?, 'text')", [name, str(path)]
                )
        yield connection


@pytest.fixture
def cursor(predicting: modelstore.Connection) -> Iterator[modelstore.Connection]:
    with predicting.cursor() as cursor:
        cursor.execute("SET VARIABLE modelstore_device = 'cpu'")
        yield cursor
