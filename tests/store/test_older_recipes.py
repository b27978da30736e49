"""Files of before runs were kept at their best point: what was trained there goes on meaning what it is."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tiny_models import create_text_dataset

import modelstore
from modelstore.options import RecipeOptions
from modelstore.planner.recipes import training_recipe
from modelstore.schema import migrations
from modelstore.udfs.register import register

MINE = '{"epochs": 2, "batch_size": 16, "learning_rate": 0.001}'


@pytest.fixture
def old_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of schema 9, with the statements that are given."""

    def write(*statements: str) -> Path:
        path = tmp_path / "old.db"
        with duckdb.connect(str(path)) as plain:
            register(plain)
            plain.execute("CREATE TABLE modelstore_version (version INTEGER)")
            for number, sql in migrations()[:9]:
                plain.execute(sql)
                plain.execute("INSERT INTO modelstore_version VALUES (?)", [number])
            plain.execute(
                f"INSERT INTO recipes (name, options) VALUES ('mine', '{MINE}'), ('odd', 'no JSON')"
            )
            for statement in statements:
                plain.execute(statement)
        return path

    return write


TRAINED = "INSERT INTO training_telemetry (model, dataset, recipe, seed) VALUES ('m', 'd', '{}', 0)"
SELECTED = (
    "INSERT INTO selections (dataset, method, options, status, key, recorded_as) "
    "VALUES ('d', 'brute_force', '{{\"executor\": \"{}\"}}', 'done', 'k', '{}')"
)


@pytest.mark.parametrize(
    "statement",
    [
        TRAINED.format("default"),
        TRAINED.format("default+epochs=3"),
        SELECTED.format("torch", "default"),
        SELECTED.format("torch", "default+epochs=3"),
    ],
)
def test_default_stays_what_a_store_has_trained_by(old_file: Callable[..., Path], statement: str) -> None:
    with modelstore.connect(old_file(statement)) as store:
        recipe = training_recipe(store.store.recipes, "default", {})
        assert recipe.options == RecipeOptions(keep="last", learning_rate=3e-5)
        assert (recipe.recorded_as, recipe.is_new) == ("default", False)
        other = training_recipe(store.store.recipes, "default", {"keep": "best", "epochs": 3})
        assert other.recorded_as == "default+epochs=3+keep=best"
        same = training_recipe(store.store.recipes, "default", {"keep": "last", "learning_rate": 3e-5})
        assert same.recorded_as == "default"


@pytest.mark.parametrize(
    "statement", ["SELECT 1", TRAINED.format("mine"), SELECTED.format("replay", "default")]
)
def test_default_is_the_new_one_where_nothing_was_trained_by_it(
    old_file: Callable[..., Path], statement: str
) -> None:
    with modelstore.connect(old_file(statement)) as store:
        assert training_recipe(store.store.recipes, "default", {}).options == RecipeOptions()


def test_recipes_of_before_keep_the_last_point(old_file: Callable[..., Path]) -> None:
    with modelstore.connect(old_file()) as store:
        options = training_recipe(store.store.recipes, "mine", {}).options
        assert options == RecipeOptions(epochs=2, batch_size=16, learning_rate=0.001, keep="last")
        stored = store.execute("SELECT options FROM recipes WHERE name = 'odd'").fetchall()
        assert stored == [("no JSON",)]


def test_a_selection_that_stopped_goes_on_as_it_began(old_file: Callable[..., Path]) -> None:
    stopped = SELECTED.format("replay", "default").replace("'done'", "'stopped'")
    with modelstore.connect(old_file(stopped, SELECTED.format("replay", "default"))) as store:
        kept = store.execute("SELECT options ->> '$.keep' FROM selections ORDER BY id").fetchall()
        assert kept == [("last",), (None,)]


def test_a_pair_of_before_is_not_trained_again(
    old_file: Callable[..., Path], model_path: Callable[[str], Path]
) -> None:
    path = old_file(
        TRAINED.format("default"),
        "INSERT INTO benchmark_results (model, dataset, score, seed) VALUES ('bert', 'texts', 0.5, 0)",
    )
    with modelstore.connect(path) as store:
        store.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
        create_text_dataset(store, "texts", 32, seed=0)
        [row] = store.execute("BENCHMARK MODELS ON texts").fetchall()
        assert (row[3], row[6]) == (0.5, "skipped")


def test_derived_names_are_read_with_their_options(old_file: Callable[..., Path]) -> None:
    records = "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('m', 'd', 0.5, '{}')"
    names = ("mine+epochs=3+keep=best", "default+batch_size=1e+06", "other+epochs=3", "mine+nonsense=1")
    with modelstore.connect(old_file(*map(records.format, names))) as store:
        recipes = store.store.recipes
        derived = training_recipe(recipes, names[0], {})
        assert derived.options == RecipeOptions(epochs=3, batch_size=16, learning_rate=0.001, keep="best")
        assert (derived.recorded_as, derived.is_new) == (names[0], False)
        assert training_recipe(recipes, names[1], {}).options == RecipeOptions(batch_size=1_000_000)
        for unknown in names[2:]:  # a recipe of its own, of which only records are there
            assert training_recipe(recipes, unknown, {}).options == RecipeOptions()
