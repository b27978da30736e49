"""The store on which the tests of statements train."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import (
    TEXT_MODELS,
    TINY_STAGES,
    create_dataset,
    image_rows,
    multi_label_rows,
    named_labels,
    pair_rows,
    regression_rows,
    save_store,
    text_rows,
)
from token_rows import json_lines, tagged_sentences

import modelstore

Store = modelstore.Connection
MODELS = (*TEXT_MODELS, "vit", "vit_classifier")
DATASETS = {
    "texts": text_rows,
    "others": text_rows,
    "pairs": pair_rows,
    "numbers": regression_rows,
    "images": image_rows,
}
# The models that are fine-tuned on datasets of other tasks.
ONE = {"numbers": "bert", "images": "vit", "moods": "bert", "ner": "bert", "pairs": "distilbert"}


@pytest.fixture(scope="session")
def zoo_file(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    """The file of `zoo`. Not to be changed."""
    return save_store(
        tmp_path_factory.mktemp("zoo") / "zoo.db",
        {kind: model_path(kind) for kind in MODELS},
        {name: draw(120, np.random.default_rng(seed)) for seed, (name, draw) in enumerate(DATASETS.items())},
    )


@pytest.fixture
def zoo(zoo_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Four text models, two image models, and a dataset of every task."""
    return opened_copy(zoo_file)


@pytest.fixture(scope="session")
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
def winners(winners_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A store with fine-tuned winners of every task."""
    path = tmp_path / "copy.db"
    path.write_bytes(winners_file.read_bytes())
    with modelstore.connect(path) as store:
        yield store
