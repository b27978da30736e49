"""Recipes in statements: their options, their names on record, and selections that train by each tuning."""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_models import create_text_dataset
from transformers import AutoModelForSequenceClassification
from watched_training import interrupted_training, trained_stages

import modelstore
from modelstore.options import RecipeOptions
from modelstore.planner.costs import GPU_PROCESS, memory_on_gpu, training_memory
from modelstore.planner.recipes import training_recipe
from modelstore.store.database import open_database
from modelstore.store.recipes import Recipes

TINY = "epochs = 2, learning_rate = 2e-2, batch_size = 16, max_length = 32, device = 'cpu'"
needs_peft = pytest.mark.skipif(
    find_spec("peft") is None, reason="needs peft: pip install 'modelstore[lora]'"
)
TUNINGS = ["layerwise", "frozen", pytest.param("lora", marks=needs_peft)]


@pytest.fixture
def zoo(store: modelstore.Connection, model_path: Callable[[str], Path]) -> modelstore.Connection:
    for model in ("bert", "distilbert"):
        store.execute(f"CREATE MODEL {model} FROM '{model_path(model)}'")
    for seed, name in enumerate(("texts", "earlier")):
        create_text_dataset(store, name, 160, seed)
    return store


def test_older_recipes_have_the_defaults_of_newer_options() -> None:
    older = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "max_length": 32}
    recipes = Recipes(open_database(":memory:", read_only=False, config={}))
    recipes.define("mine", older)
    recipe = training_recipe(recipes, "mine", {})
    assert recipe.recorded_as == "mine"
    assert recipe.options == RecipeOptions.of(older)
    same = {"tuning": "full", "schedule": "linear", "warm_up": 0.06, "weight_decay": 0.01}
    assert training_recipe(recipes, "mine", same).recorded_as == "mine"
    other = training_recipe(recipes, "mine", {"tuning": "frozen", "schedule": "cosine", "warm_up": 0.1})
    assert other.recorded_as == "mine+schedule=cosine+tuning=frozen+warm_up=0.1"
    assert other.options.weight_decay == 0.01


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("tuning = 'forzen'", "takes one of 'full', 'frozen', 'lora', 'layerwise', not 'forzen'"),
        ("schedule = 'step'", "takes one of 'linear', 'cosine', 'constant', not 'step'"),
        ("warm_up = 6", "takes a number from 0 to 1, not 6"),
        ("warm_up = -0.1", "takes a number from 0 to 1"),
        ("weight_decay = -1", "takes a number of at least 0, not -1"),
    ],
)
def test_an_option_out_of_range_is_refused(zoo: modelstore.Connection, option: str, message: str) -> None:
    with pytest.raises(modelstore.OptionError, match=message):
        zoo.execute(f"BENCHMARK MODELS ON texts WITH ({option})")


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_selection_is_resumed_and_its_winner_is_an_ordinary_model(
    tuning: str, zoo: modelstore.Connection
) -> None:
    options = f"recipe = 'other', tuning = '{tuning}', schedule = 'cosine', {TINY}"
    zoo.execute(f"BENCHMARK MODELS ON earlier WITH ({options})")
    assert zoo.execute("SELECT count(*) FROM training_telemetry WHERE rows_per_second > 0").fetchone() == (2,)
    [(stored,)] = zoo.execute("SELECT options FROM recipes WHERE name = 'other'").fetchall()
    assert (json.loads(stored)["tuning"], json.loads(stored)["schedule"]) == (tuning, "cosine")

    sql = "SELECT BEST MODEL FOR texts USING brute_force WITH (recipe = 'other', register = false)"
    expected = zoo.execute(sql).fetchall()
    curves = zoo.execute("SELECT model, stage, validation FROM training_curves WHERE dataset = 'texts'")
    known = curves.fetchall()
    zoo.execute("DELETE FROM training_curves WHERE dataset = 'texts'")
    with trained_stages() as trained, interrupted_training(lambda run: len(trained) == 2):
        zoo.execute(sql)
    again = zoo.execute("RESUME SELECTION 2").fetchall()
    assert [row[1:5] for row in again] == [row[1:5] for row in expected]
    curves = zoo.execute("SELECT model, stage, validation FROM training_curves WHERE dataset = 'texts'")
    assert curves.fetchall() == known
    _, report = AutoModelForSequenceClassification.from_pretrained(again[0][7], output_loading_info=True)
    assert not report["missing_keys"]


def test_expected_memory_depends_on_which_weights_learn() -> None:
    names, parameters = ["a", "b"], np.array([100.0, 200.0])

    def expected(tuning: str) -> float | None:
        return training_memory(names, parameters, 2, {}, tuning)

    assert expected("full") == expected("layerwise") == 200 * 16 + 100 * 12
    assert expected("frozen") == expected("lora") == 200 * 4 + 100 * 4


def test_a_gpus_memory_is_a_guess_that_grows_with_the_batch_and_at_least_what_was_seen() -> None:
    names, parameters = ["a", "b"], np.array([100e6, 200e6])
    assert memory_on_gpu(names, parameters, {}, 0) == 200e6 * 48 + GPU_PROCESS
    assert memory_on_gpu(names, parameters, {"a": 4e9}, 8192) == 200e6 * 96 + GPU_PROCESS
    assert memory_on_gpu(names, parameters, {"a": 40e9, "b": 3e9}, 8192) == 40e9 + GPU_PROCESS
    assert memory_on_gpu(names, np.array([100e6, np.nan]), {"b": 4e9}, 0) is None
    assert memory_on_gpu([], np.array([]), {}, 0) is None


@pytest.mark.parametrize(
    "statement",
    ["BENCHMARK MODELS ON texts", "SELECT BEST MODEL FOR texts", "EXPLAIN SELECT BEST MODEL FOR texts"],
)
def test_without_peft_a_statement_says_what_to_install(
    statement: str, zoo: modelstore.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not pair by pair."""
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(modelstore.TrainingError, match=r"tuning = 'lora' needs .*'modelstore\[lora\]'"):
        zoo.execute(f"{statement} WITH (recipe = 'new', tuning = 'lora')")
    assert zoo.execute("SELECT count(*) FROM recipes WHERE name = 'new'").fetchone() == (0,)
    assert zoo.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)
