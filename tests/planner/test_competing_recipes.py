"""Several recipes in one statement: their names, how many there may be, and what is refused."""

import pytest

import modelstore
from modelstore.options import SelectOptions
from modelstore.planner.recipes import Recipe, training_recipes, without_lists
from modelstore.store.database import open_database
from modelstore.store.recipes import Recipes

Store = modelstore.Connection
REPLAY = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', {})"


@pytest.fixture
def recipes() -> Recipes:
    recipes = Recipes(open_database(":memory:", read_only=False, config={}))
    recipes.define("short", {"epochs": 2, "learning_rate": 1e-3})
    recipes.define("other", {"epochs": 2, "tuning": "frozen"})
    return recipes


def made(recipes: Recipes, /, **given: object) -> tuple[Recipe, ...]:
    return training_recipes(recipes, SelectOptions.of(without_lists(given)), given)


def test_without_lists_there_is_one_recipe(recipes: Recipes) -> None:
    [recipe] = made(recipes, recipe="short", epochs=3)
    assert (recipe.name, recipe.variant, recipe.recorded_as) == ("short", "short", "short+epochs=3")


def test_lists_make_their_product(recipes: Recipes) -> None:
    found = made(
        recipes, recipes=("short", "other"), learning_rate=(1e-3, 5e-4), tuning=("full", "lora"), epochs=3
    )
    assert len(found) == 8
    assert [one.variant for one in found[:4]] == [
        "short",
        "short+tuning=lora",
        "short+learning_rate=0.0005",
        "short+learning_rate=0.0005+tuning=lora",
    ]
    assert found[1].recorded_as == "short+epochs=3+tuning=lora"
    assert {one.options.epochs for one in found} == {3}
    assert found[-1].variant == "other+learning_rate=0.0005+tuning=lora"


def test_a_list_of_one_value_is_that_value(recipes: Recipes) -> None:
    assert made(recipes, learning_rate=(2e-4,)) == made(recipes, learning_rate=2e-4)
    assert made(recipes, recipes=("short",)) == made(recipes, recipe="short")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipes": ("short", "othr")}, r'no recipe "othr" \(did you mean "other"\?\)'),
        ({"recipes": ("short", "other"), "recipe": "short"}, "give one of them"),
        ({"learning_rate": (1e-3, 1e-3)}, r'both "default\+learning_rate=0.001": give each value once'),
        ({"recipe": "new", "learning_rate": (1e-3, 1e-4)}, 'no recipe "new"'),
        (
            {"recipes": ("short", "other"), "batch_size": (8, 16, 32), "weight_decay": (0.0, 0.1, 0.2)},
            "2 recipes × 3 values of batch_size × 3 values of weight_decay make 18 recipes, .* at most 16",
        ),
    ],
)
def test_what_cannot_compete_is_refused(recipes: Recipes, given: dict[str, object], message: str) -> None:
    with pytest.raises(modelstore.Error, match=message):
        made(recipes, **given)


def test_sixteen_may_compete(recipes: Recipes) -> None:
    given = {"batch_size": (8, 16, 32, 64), "learning_rate": (1e-3, 1e-4, 1e-5, 1e-6)}
    assert len(made(recipes, **given)) == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("epochs = [2, 4]", '"epochs" takes a whole number in SELECT BEST, since models that compete'),
        ("recipes = ['a', 'b']", '"a" says 4 where "b" says 2: give epochs for all'),
        ("learning_rate = [0.5, 0.6]", r'there is no recipe "default\+learning_rate=0.5"'),
        ("recipes = ['a', 'x']", 'there is no recipe "x"'),
        ("recipes = 'a'", "takes a list of different names"),
        ("recipes = ['a', 'a']", "takes a list of different names"),
        ("learning_rate = [1e-4, 'fast']", "takes a number above 0, or a list of such values"),
        ("learning_rate = []", "takes a number above 0, or a list of such values"),
        ("tuning = ['full', NULL]", "'layerwise', or a list of such values"),
        ("seed = [1, 2]", "takes a whole number of at least 0, not"),
        ("recipes = ['loaded', 'a'], learning_rate = [1e-4, 1e-3]", "its learning_rate cannot be varied"),
    ],
)
def test_a_statement_says_what_cannot_compete(recorded: Store, options: str, message: str) -> None:
    recorded.execute(
        """INSERT INTO recipes (name, options) VALUES ('a', '{"epochs": 4}'), ('b', '{"epochs": 2}')"""
    )
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('a1', 'd1', 1, 'loaded')"
    )
    with pytest.raises(modelstore.Error, match=message):
        recorded.execute(REPLAY.format(options))
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)


def test_values_of_a_list_may_be_parameters(recorded: Store) -> None:
    for rate in ("0.001", "0.0001"):
        recorded.execute(
            "INSERT INTO training_curves SELECT * REPLACE (? AS recipe) FROM training_curves "
            "WHERE recipe = 'default'",
            [f"default+learning_rate={rate}"],
        )
    plan = "EXPLAIN SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, {})"
    expected = recorded.execute(plan.format("learning_rate = [0.001, 0.0001]")).fetchall()
    assert "default+learning_rate=0.001, default+learning_rate=0.0001" in str(expected)
    assert recorded.execute(plan.format("learning_rate = [?, ?]"), [1e-3, 1e-4]).fetchall() == expected
    assert recorded.execute(plan.format("learning_rate = ?"), [[1e-3, 1e-4]]).fetchall() == expected
    named = {"high": 1e-3, "low": 1e-4}
    assert recorded.execute(plan.format("learning_rate = [$high, $low]"), named).fetchall() == expected
