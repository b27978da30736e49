"""The store on which the tests of recall run models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import regression_rows, save_store, text_rows


@pytest.fixture(scope="session")
def three_models(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    """The file of a store with three text models, of which one has a head, and two datasets. Not to be changed."""
    return save_store(
        tmp_path_factory.mktemp("three") / "zoo.db",
        {kind: model_path(kind) for kind in ("bert", "bert_classifier", "distilbert")},
        {
            name: draw(120, np.random.default_rng(0))
            for name, draw in {"texts": text_rows, "numbers": regression_rows}.items()
        },
    )
