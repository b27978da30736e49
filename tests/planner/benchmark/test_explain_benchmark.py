"""`EXPLAIN BENCHMARK`: how many pairs train and for how long, in the right number."""

import re
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
    recipe = "default+epochs=1+learning_rate=5e-05"
    assert rows[0][0] == f"BENCHMARK MODELS · 1 dataset, recipe {recipe}, 1 epoch"
    assert re.fullmatch(r"1 pair, 1 epoch, [0-9.]+ s by a probe", rows[0][1])
    assert rows[1:] == [("└─ models", "1")]


def test_what_is_on_record_takes_the_place_of_a_probe(zoo: modelstore.Connection) -> None:
    create_text_dataset(zoo, "others", 120, 1)
    zoo.execute(
        "INSERT INTO recipes (name, options) VALUES ('known', '{\"learning_rate\": 5e-5}');"
        "INSERT INTO benchmark_results (model, dataset, score, epochs, seconds, recipe) "
        "VALUES ('bert', 'others', 0.5, 5, 600, 'known')"
    )
    rows = zoo.execute("EXPLAIN BENCHMARK MODELS ON texts WITH (recipe = 'known')").fetchall()
    assert re.fullmatch(r"1 pair, 5 epochs, (9 min 5\d|10 min 0\d)", rows[0][1])


def test_an_expectation_is_made_before_the_run(zoo: modelstore.Connection) -> None:
    rows = zoo.execute("EXPLAIN ANALYZE BENCHMARK MODELS ON texts WITH (epochs = 1)").fetchall()
    assert rows[0][1].endswith("by a probe")
    assert not rows[0][2].endswith("by a probe")


def test_a_pair_on_record_does_not_train(zoo: modelstore.Connection) -> None:
    zoo.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('bert', 'texts', 0.5)")
    rows = zoo.execute("EXPLAIN ANALYZE BENCHMARK MODELS ON texts").fetchall()
    assert rows[0][1:] == ("0 pairs (1 on record), 0 epochs", "0 pairs, 0 epochs, 0.0 s")
