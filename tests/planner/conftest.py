"""The store on which the tests of statements train."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TEXT_MODELS, create_dataset, image_rows, pair_rows, regression_rows, text_rows

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


@pytest.fixture(scope="session")
def zoo_file(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    """The file of `zoo`. Not to be changed."""
    path = tmp_path_factory.mktemp("zoo") / "zoo.db"
    with modelstore.connect(path) as store:
        for kind in MODELS:
            store.execute(f"CREATE MODEL {kind} FROM '{model_path(kind)}'")
        for seed, (name, draw) in enumerate(DATASETS.items()):
            create_dataset(store, name, draw(120, np.random.default_rng(seed)))
    return path


@pytest.fixture
def zoo(zoo_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Four text models, two image models, and a dataset of every task."""
    return opened_copy(zoo_file)
