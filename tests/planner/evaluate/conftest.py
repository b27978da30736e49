"""A store with fine-tuned winners of every task."""

from pathlib import Path

import numpy as np
import pytest
from tiny_models import TINY_STAGES, create_dataset, multi_label_rows, named_labels
from token_rows import json_lines, tagged_sentences

import modelstore

Store = modelstore.Connection
ONE = {"numbers": "bert", "images": "vit", "moods": "bert", "ner": "bert", "pairs": "distilbert"}


@pytest.fixture(scope="module")
def winners_file(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `winners`. Not to be changed."""
    folder = tmp_path_factory.mktemp("winners")
    path = folder / "winners.db"
    path.write_bytes(zoo_file.read_bytes())
    (folder / "ner.jsonl").write_text(json_lines(tagged_sentences(120), "words", "ner_tags"))
    with modelstore.connect(path) as store:
        create_dataset(store, "moods", named_labels(multi_label_rows(120, np.random.default_rng(5))))
        store.execute(
            f"CREATE DATASET ner FROM '{folder}/ner.jsonl' WITH (text = 'words', label = 'ner_tags')"
        )
        for dataset, model in (("texts", "bert"), ("texts", "albert"), *ONE.items()):
            store.execute(
                f"SELECT BEST MODEL FOR {dataset} FROM (SELECT '{model}' AS name) WITH ({TINY_STAGES})"
            )
    return path


@pytest.fixture
def winners(winners_file: Path, tmp_path: Path) -> Store:
    path = tmp_path / "copy.db"
    path.write_bytes(winners_file.read_bytes())
    with modelstore.connect(path) as store:
        yield store
