"""BENCHMARK MODELS by several recipes."""

from tiny_models import TINY

import modelstore

Store = modelstore.Connection
LISTS = TINY.replace("recipe = 'tiny', epochs = 2", "epochs = [1, 2]").replace("5e-3", "[1e-3, 5e-3]")
SQL = f"BENCHMARK MODELS WHERE name = 'bert' ON texts, others WITH ({LISTS})"


def test_each_pair_is_trained_by_each_recipe_and_recorded_under_it(zoo: Store) -> None:
    rows = zoo.execute(SQL).fetchall()
    base = "default+batch_size=16+epochs={}+learning_rate={}+max_length=32"
    recipes = [base.format(epochs, rate) for epochs in (1, 2) for rate in ("0.001", "0.005")]
    assert [row[:3] for row in rows] == [
        ("bert", name, recipe) for name in ("texts", "others") for recipe in recipes
    ]
    assert [(row[4], row[6]) for row in rows] == [
        (1.0, "done"),
        (1.0, "done"),
        (2.0, "done"),
        (2.0, "done"),
    ] * 2
    recorded = zoo.execute(
        "SELECT DISTINCT dataset, recipe, epochs FROM benchmark_results ORDER BY ALL"
    ).fetchall()
    assert recorded == sorted((row[1], row[2], row[4]) for row in rows)
    assert [row[6] for row in zoo.execute(SQL).fetchall()] == ["skipped"] * 8


def test_what_is_on_record_by_one_of_the_recipes_is_skipped(zoo: Store) -> None:
    one = SQL.replace("[1, 2]", "1").replace("[1e-3, 5e-3]", "5e-3")
    zoo.execute(one)
    plan = zoo.execute(f"EXPLAIN {SQL}").fetchall()
    assert plan[0] == (
        "BENCHMARK MODELS · 2 datasets, 4 recipes, 1 to 2 epochs",
        plan[0][1],
    )
    assert plan[0][1].startswith("6 pairs (2 on record), 10 epochs")
    assert plan[2][0].startswith("└─ recipes · default+batch_size=16+epochs=1+learning_rate=0.001")
    rows = zoo.execute(SQL).fetchall()
    assert [row[6] for row in rows] == ["done", "skipped", "done", "done"] * 2


def test_named_recipes_are_trained_by_their_options(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON others WITH ({TINY})")
    zoo.execute(
        f"BENCHMARK MODELS WHERE name = 'bert' ON others WITH ({TINY.replace('tiny', 'short').replace('= 2', '= 1')})"
    )
    rows = zoo.execute(
        "BENCHMARK MODELS WHERE name = 'bert' ON texts WITH (recipes = ['tiny', 'short'])"
    ).fetchall()
    assert [(row[2], row[4], row[6]) for row in rows] == [("tiny", 2.0, "done"), ("short", 1.0, "done")]


def test_a_recipe_that_fails_leaves_the_others(zoo: Store) -> None:
    sql = SQL.replace("[1, 2]", "1").replace("[1e-3, 5e-3]", "[1e18, 5e-3]").replace(", others", "")
    rows = zoo.execute(sql).fetchall()
    assert [row[6] for row in rows] == ["failed", "done"]
    assert zoo.execute("SELECT recipe FROM benchmark_failures").fetchall() == [(rows[0][2],)]
