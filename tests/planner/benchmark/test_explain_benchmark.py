"""`EXPLAIN BENCHMARK`: how many pairs train and for how long, in the right number."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import create_text_dataset

import modelstore


@pytest.fixture
def zoo(store: modelstore.Connection, model_path: Callable[[str], Path]) -> modelstore.Connection:
    """One model and one dataset."""
    store.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
    create_text_dataset(store, "texts", 120, 0)
    return store


def test_one_pair_and_one_epoch_are_singular(zoo: modelstore.Connection) -> None:
    rows = zoo.execute("EXPLAIN BENCHMARK MODELS ON texts WITH (epochs = 1, learning_rate = 5e-5)").fetchall()
    assert rows == [
        (
            "BENCHMARK MODELS · 1 dataset, recipe default+epochs=1+learning_rate=5e-05, 1 epoch",
            "1 pair, 1 epoch",
        ),
        ("└─ models", "1"),
    ]


def test_a_pair_on_record_does_not_train(zoo: modelstore.Connection) -> None:
    zoo.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('bert', 'texts', 0.5)")
    rows = zoo.execute("EXPLAIN ANALYZE BENCHMARK MODELS ON texts").fetchall()
    assert rows[0][1:] == ("0 pairs (1 on record), 0 epochs", "0 pairs, 0 epochs, 0.0 s")
