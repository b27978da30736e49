"""Priors of several recipes' records, those of public records among them, and that nothing is trained by these."""

from typing import Any

import numpy as np
import pytest

import modelstore
from modelstore.planner.select import resume
from modelstore.planner.select.arms import Arms
from modelstore.recall.normal_scores import normal_score_prior
from modelstore.recall.pooled_recipes import pool_recipes

Store = modelstore.Connection
REPLAY = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4{})"
POOLED = "recipes = ['default', 'paper_cv']"


@pytest.fixture
def both(recorded: Store) -> Store:
    """Own records, and records of the same models under the recipe of public ones, on which c2 is the best."""
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) "
        "SELECT model, 'public ' || n, if(model = 'c2', 99, hash(model || n) % 90) / 100, 'paper_cv' "
        "FROM (SELECT DISTINCT model FROM training_curves), range(30) AS t(n)"
    )
    return recorded


def plan(store: Store, statement: str) -> str:
    return "\n".join(row[0] for row in store.execute(f"EXPLAIN {statement}").fetchall())


def test_recall_pools_the_records_of_several_recipes(both: Store) -> None:
    rows = both.execute(f"RECALL 8 MODELS FOR d0 WITH ({POOLED})").fetchall()
    results = both.store.results
    matrix = pool_recipes([results.matrix(recipe, excluding="d0") for recipe in ("default", "paper_cv")])
    expected = dict(zip(matrix.models, normal_score_prior(matrix.scores), strict=True))
    assert {row[1]: row[4] for row in rows} == pytest.approx(expected)
    own = both.execute("RECALL 8 MODELS FOR d0").fetchall()
    assert {row[1]: row[4] for row in own} != pytest.approx(expected)


def test_the_plan_says_which_records_are_pooled(both: Store) -> None:
    explained = plan(both, f"RECALL 8 MODELS FOR d0 WITH ({POOLED})")
    assert "prior of 36 datasets, pooled over the recipes default and paper_cv" in explained
    assert "prior of 6 datasets, " in plan(both, "RECALL 8 MODELS FOR d0")
    assert "pooled" not in plan(both, "RECALL 8 MODELS FOR d0 WITH (recipe = 'paper_cv')")


def test_a_recipe_that_is_named_twice_counts_once(both: Store) -> None:
    once = both.execute(f"RECALL 8 MODELS FOR d0 WITH ({POOLED})").fetchall()
    twice = "recipes = ['default', 'Default', 'paper_cv', 'PAPER_CV']"
    assert both.execute(f"RECALL 8 MODELS FOR d0 WITH ({twice})").fetchall() == once


def test_the_prior_of_one_recipe_s_records_is_that_recipe_s(both: Store) -> None:
    listed = both.execute("RECALL 8 MODELS FOR d0 WITH (recipes = ['paper_cv'])").fetchall()
    assert listed == both.execute("RECALL 8 MODELS FOR d0 WITH (recipe = 'paper_cv')").fetchall()


def test_a_selection_recalls_by_public_records_and_trains_by_its_own_recipe(both: Store) -> None:
    explained = plan(both, REPLAY.format(f", recall = 2, {POOLED}"))
    assert "prior of 36 datasets, pooled over the recipes default and paper_cv" in explained
    assert "forecasts from the records of paper_cv too" in explained
    assert "forecasts from" not in plan(both, REPLAY.format(""))
    [(_, _, recipe, *_)] = both.execute(REPLAY.format(f", recall = 2, {POOLED}")).fetchall()
    assert recipe == "default"
    recalled = both.execute("SELECT DISTINCT model FROM selection_stages").fetchall()
    assert ("c2",) in recalled
    both.execute(REPLAY.format(", recall = 2"))
    alone = both.execute("SELECT DISTINCT model FROM selection_stages WHERE selection = 2").fetchall()
    assert ("c2",) not in alone


def test_an_interrupted_selection_goes_on_with_the_public_records(
    both: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = both.execute(REPLAY.format(f", {POOLED}")).fetchall()
    both.execute("UPDATE selections SET status = 'stopped'; DELETE FROM selection_stages WHERE stage > 1")
    read: list[Any] = []

    def noted(*arguments: Any) -> Arms:
        arms = Arms(*arguments)
        read.append(arms.prior_recipes)
        return arms

    monkeypatch.setattr(resume, "Arms", noted)
    assert both.execute("RESUME SELECTION 1").fetchall() == rows
    assert read == [("default", "paper_cv")]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (REPLAY.format(", recipe = 'paper_cv'"), "nothing is trained by it: name another to train by"),
        (
            REPLAY.format(", recipes = ['paper_cv', 'Paper_CV']"),
            'the recipe "paper_cv" is that of public records',
        ),
        (REPLAY.format(", recipes = ['PAPER_CV']"), 'the recipe "paper_cv" is that of public records'),
        (REPLAY.format(f", prior = 'mean', {POOLED}"), "those of several recipes are not comparable"),
        (REPLAY.format(", recipes = ['default', 'euroeval']"), "IMPORT RECORDS euroeval adds them"),
        ("BENCHMARK MODELS ON d WITH (recipe = 'paper_cv')", "nothing is trained by it"),
        ("BENCHMARK MODELS ON d WITH (recipe = 'paper_nlp', epochs = 1)", "nothing is trained by it"),
        (f"BENCHMARK MODELS ON d WITH ({POOLED})", '"paper_cv" is that of public records: leave it out'),
        ("RECALL 2 MODELS FOR d0 WITH (recipe = 'euroeval')", "IMPORT RECORDS euroeval adds them"),
        (
            f"RECALL 2 MODELS FOR d0 WITH ({POOLED}, prior = 'mean')",
            "those of several recipes are not comparable",
        ),
        (f"RECALL 2 MODELS FOR d0 WITH ({POOLED}, recipe = 'default')", "give one of them"),
    ],
)
def test_what_public_records_do_not_serve_for_is_said(both: Store, statement: str, message: str) -> None:
    with pytest.raises(modelstore.Error, match=message):
        both.execute(statement)


def test_a_store_that_has_trained_by_a_recipe_of_such_a_name_keeps_it(recorded: Store) -> None:
    recorded.execute("""INSERT INTO recipes (name, options) VALUES ('paper_cv', '{"epochs": 4}')""")
    recorded.execute("UPDATE training_curves SET recipe = 'paper_cv'")
    [(_, _, recipe, *_)] = recorded.execute(REPLAY.format(", recipe = 'paper_cv'")).fetchall()
    assert recipe == "paper_cv"
    with pytest.raises(modelstore.StoreError, match="models have been trained by one of that name"):
        recorded.execute("IMPORT RECORDS paper_cv")


def test_a_new_store_ranks_models_by_public_records_alone(store: Store) -> None:
    store.execute("IMPORT RECORDS paper_nlp")
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ('roberta-base', 'd', 'leep', -1)"
    )
    rows = store.execute("RECALL 39 MODELS FOR d WITH (recipes = ['default', 'paper_nlp'])").fetchall()
    matrix = store.store.results.matrix("paper_nlp")
    prior = dict(zip(matrix.models, normal_score_prior(matrix.scores), strict=True))
    assert {row[1]: row[4] for row in rows} == pytest.approx(prior)
    assert np.isclose(sum(row[7] for row in rows), 1)
