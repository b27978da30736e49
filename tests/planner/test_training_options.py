"""Class weights, label smoothing, gradient accumulation and checkpointing in statements, records and RESUME."""

import json

import pytest
from watched_training import interrupted_training

import modelstore

Store = modelstore.Connection
TINY = "epochs = 1, learning_rate = 5e-3, batch_size = 16, max_length = 32, device = 'cpu'"
MODELS = "FROM (SELECT * FROM models WHERE name IN ('bert', 'distilbert'))"
ALL_FOUR = (
    "class_weights = 'balanced', label_smoothing = 0.1, "
    "gradient_accumulation = 2, gradient_checkpointing = true"
)
DERIVED = (
    "default+batch_size=16+class_weights=balanced+epochs=1+gradient_accumulation=2+gradient_checkpointing=true"
    "+label_smoothing=0.1+learning_rate=0.005+max_length=32"
)


def test_their_results_are_kept_apart_from_the_recipes_own(zoo: Store) -> None:
    plain = zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH ({TINY})").fetchall()
    other = zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH ({TINY}, {ALL_FOUR})").fetchall()
    assert {row[-1] for row in plain + other} == {"done"}
    recipes = zoo.execute("SELECT DISTINCT recipe FROM benchmark_results ORDER BY recipe").fetchall()
    assert recipes == [(DERIVED,), ("default+batch_size=16+epochs=1+learning_rate=0.005+max_length=32",)]
    again = zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH ({TINY}, {ALL_FOUR})").fetchall()
    assert {row[-1] for row in again} == {"skipped"}
    by_name = zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH (recipe = '{DERIVED}')").fetchall()
    assert {row[-1] for row in by_name} == {"skipped"}  # the name says all options


def test_a_named_recipe_keeps_them(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH (recipe = 'mine', {TINY}, {ALL_FOUR})")
    [(options,)] = zoo.execute("SELECT options FROM recipes WHERE name = 'mine'").fetchall()
    stored = json.loads(options)
    assert (stored["class_weights"], stored["label_smoothing"]) == ("balanced", 0.1)
    assert (stored["gradient_accumulation"], stored["gradient_checkpointing"]) == (2, True)
    plan = zoo.execute(f"EXPLAIN BENCHMARK MODELS {MODELS} ON others WITH (recipe = 'mine')").fetchall()
    assert (
        "balanced class weights, label smoothing 0.1, gradients of 2 batches a step, gradient checkp"
        in str(plan)
    )
    zoo.execute(f"BENCHMARK MODELS {MODELS} ON texts WITH (recipe = 'mine', class_weights = 'none')")
    recipes = zoo.execute("SELECT DISTINCT recipe FROM benchmark_results ORDER BY recipe").fetchall()
    assert recipes == [("mine",), ("mine+class_weights=none",)]


def test_lists_of_them_compete(zoo: Store) -> None:
    zoo.execute(
        f"SELECT BEST MODEL FOR texts {MODELS} USING brute_force WITH ({TINY}, register = false, "
        "class_weights = ['none', 'balanced'], gradient_checkpointing = [false, true])"
    )
    recipes = [name for (name,) in zoo.execute("SELECT DISTINCT recipe FROM selection_stages").fetchall()]
    assert len(recipes) == 4
    listed = [name for name in recipes if "class_weights=balanced" in name]
    assert sorted("gradient_checkpointing=true" in name for name in listed) == [False, True]


@pytest.mark.parametrize("option", ["class_weights = 'balanced'", "label_smoothing = 0.1"])
@pytest.mark.parametrize(
    "statement", [f"BENCHMARK MODELS {MODELS} ON texts, numbers", f"SELECT BEST MODEL FOR numbers {MODELS}"]
)
def test_a_regression_takes_neither_weights_nor_smoothing(zoo: Store, statement: str, option: str) -> None:
    name = option.partition(" ")[0]
    with pytest.raises(
        modelstore.Error, match=f'{name} needs one class a row, and dataset "numbers" is a regr'
    ):
        zoo.execute(f"{statement} WITH ({TINY}, {option})")
    assert zoo.execute("SELECT count(*) FROM training_curves").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("class_weights = 'balance'", "takes one of 'none', 'balanced', not 'balance'"),
        ("label_smoothing = 1.5", "takes a number from 0 to 1, not 1.5"),
        ("gradient_accumulation = 0", "takes a whole number of at least 1, not 0"),
        ("gradient_checkpointing = 'yes'", "takes true or false, not 'yes'"),
    ],
)
def test_what_they_do_not_take_is_refused(zoo: Store, option: str, message: str) -> None:
    with pytest.raises(modelstore.Error, match=message):
        zoo.execute(f"BENCHMARK MODELS ON texts WITH ({option})")


def test_an_interrupted_selection_goes_on_with_them(zoo: Store) -> None:
    statement = (
        f"SELECT BEST MODEL FOR texts {MODELS} USING successive_halving WITH ({TINY}, {ALL_FOUR}, "
        "stages_per_epoch = 2, register = false)"
    )
    with interrupted_training(lambda run: len(run.curve) == 1):
        zoo.execute(statement)
    [row] = zoo.execute("RESUME SELECTION 1").fetchall()
    curves = zoo.execute("SELECT DISTINCT recipe FROM training_curves").fetchall()
    assert curves == [(DERIVED,)]
    assert row[0] == 1
