"""Statements without a learning rate: what finding it costs is counted, and what was found is on record."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import create_text_dataset
from watched_training import interrupted_training

import modelstore

Store = modelstore.Connection
TINY = "epochs = 2, batch_size = 16, max_length = 32, device = 'cpu'"
HALVES = "stages = [0.5, 1, 2]"


@pytest.fixture
def zoo(store: Store, model_path: Callable[[str], Path]) -> Store:
    for model in ("bert", "distilbert"):
        store.execute(f"CREATE MODEL {model} FROM '{model_path(model)}'")
    for seed, name in enumerate(("texts", "others")):
        create_text_dataset(store, name, 160, seed)
    return store


def plan(store: Store, sql: str) -> str:
    return "\n".join(" ".join(map(str, row)) for row in store.execute(f"EXPLAIN {sql}").fetchall())


def test_a_benchmark_counts_and_records_what_finding_the_rate_took(zoo: Store) -> None:
    sql = f"BENCHMARK MODELS ON texts WITH ({TINY}, {HALVES})"
    explained = plan(zoo, sql)
    assert "learning rate found in the first stage among three by width and steps" in explained
    assert "2 pairs, 6 epochs" in explained
    rows = zoo.execute(sql).fetchall()
    assert [(row[0], row[4], row[6]) for row in rows] == [("bert", 3.0, "done"), ("distilbert", 3.0, "done")]
    assert zoo.execute("SELECT epochs FROM benchmark_results").fetchall() == [(3.0,)] * 2
    curves = zoo.execute("SELECT list(epoch ORDER BY stage) FROM training_curves GROUP BY model").fetchall()
    assert curves == [([0.5, 1.0, 2.0],)] * 2
    found = zoo.execute(
        "SELECT model, dataset, recipe = (SELECT any_value(recipe) FROM benchmark_results), seed, trial_epochs, "
        "learning_rate BETWEEN 1e-4 AND 1e-1 FROM found_learning_rates ORDER BY model"
    )
    assert found.fetchall() == [(model, "texts", True, 0, 1.0, True) for model in ("bert", "distilbert")]
    assert [row[6] for row in zoo.execute(sql).fetchall()] == ["skipped"] * 2


def test_a_given_rate_is_a_recipe_of_its_own_and_costs_nothing_more(zoo: Store) -> None:
    sql = f"BENCHMARK MODELS ON texts WITH ({TINY}, {HALVES}, learning_rate = 1e-3)"
    explained = plan(zoo, sql)
    assert "found" not in explained
    assert "2 pairs, 4 epochs" in explained
    assert [row[4] for row in zoo.execute(sql).fetchall()] == [2.0] * 2
    assert zoo.execute("SELECT count(*) FROM found_learning_rates").fetchone() == (0,)
    [(recipe,)] = zoo.execute("SELECT DISTINCT recipe FROM benchmark_results").fetchall()
    assert "+learning_rate=0.001" in recipe


def test_a_selection_counts_the_epochs_of_trials(zoo: Store) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING successive_halving WITH ({TINY}, {HALVES})"
    explained = plan(zoo, sql)
    assert "learning rate found in the first stage among three by width and steps" in explained
    assert "2 models, 4.5 epochs" in explained  # 2 x 3 x 0.5, and then one model's 1.5
    [row] = zoo.execute(sql).fetchall()
    assert row[5] == 3.0  # the winner's own: 3 x 0.5 and 1.5
    assert zoo.execute("SELECT epochs FROM selections").fetchone() == (4.5,)
    rates = zoo.execute(
        "SELECT stage, count(*), count(learning_rate) FROM selection_stages GROUP BY stage ORDER BY stage"
    )
    assert rates.fetchall() == [(1, 2, 2), (2, 1, 1), (3, 1, 1)]
    found = zoo.execute("SELECT model, learning_rate, trial_epochs FROM found_learning_rates").fetchall()
    logged = zoo.execute("SELECT model, learning_rate FROM selection_stages WHERE stage = 3").fetchall()
    assert found == [(*logged[0], 1.0)]
    # The same selection again takes the winner's run from the record.
    [again] = zoo.execute(sql).fetchall()
    assert again[1:6] == row[1:6]


def test_a_budget_holds_with_the_epochs_of_trials(zoo: Store) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY}, {HALVES}, budget_epochs = {{}})"
    zoo.execute(sql.format(4.5))
    assert zoo.execute("SELECT epochs FROM selections").fetchone() == (4.5,)
    zoo.execute(sql.format(2))  # room for the first stage of one model alone
    assert zoo.execute("SELECT epochs FROM selections ORDER BY id DESC").fetchone() == (2.0,)
    with pytest.raises(modelstore.TrainingError, match="ends before a model has gone through one stage"):
        zoo.execute(sql.format(1))


def test_a_replay_costs_what_the_recorded_runs_took(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY}, {HALVES}, recipe = 'mine')")
    replay = f"executor = 'replay', {HALVES}, recipe = 'mine'"
    sql = f"SELECT BEST MODEL FOR texts USING brute_force WITH ({replay})"
    assert "2 models, 6 epochs" in plan(zoo, sql)
    [row] = zoo.execute(sql).fetchall()
    assert row[5] == 3.0
    assert zoo.execute("SELECT epochs FROM selections").fetchone() == (6.0,)
    compared = f"COMPARE STRATEGIES brute_force ON texts WITH ({HALVES}, recipe = 'mine')"
    assert zoo.execute(compared).fetchone()[5] == 6.0
    zoo.execute("DELETE FROM found_learning_rates")  # as of curves that were loaded
    assert zoo.execute(compared).fetchone()[5] == 4.0


@pytest.mark.parametrize("stage", [1, 2])
def test_a_stopped_selection_goes_on_at_the_rates_that_it_found(zoo: Store, stage: int) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY}, {HALVES}, register = false, reuse = false)"
    [expected] = zoo.execute(sql).fetchall()
    with interrupted_training(lambda run: run.model == "distilbert" and len(run.curve) == stage):
        zoo.execute(sql)
    [row] = zoo.execute("RESUME SELECTION 2").fetchall()
    assert row[1:6] == expected[1:6]
    rates = zoo.execute(
        "SELECT model, stage, learning_rate FROM selection_stages WHERE selection = ? ORDER BY ALL", [1]
    )
    others = "SELECT model, stage, learning_rate FROM selection_stages WHERE selection = 2 ORDER BY ALL"
    expected_rates = rates.fetchall()
    assert zoo.execute(others).fetchall() == expected_rates


def test_a_stopped_benchmark_repeats_trials_only_of_a_first_stage(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.planner.benchmark import checkpoint

    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "TIMES_WRITING", 0.0)
    sql = f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({TINY}, {HALVES}, seed = {{}})"
    with interrupted_training(lambda run: len(run.curve) == 2):
        zoo.execute(sql.format(0))
    zoo.execute(sql.format(0))
    stopped = "SELECT stage, validation, test FROM training_curves ORDER BY stage"
    resumed = zoo.execute(stopped).fetchall()
    [(epochs,)] = zoo.execute("SELECT epochs FROM benchmark_results").fetchall()
    assert epochs == 3.0
    for table in ("training_curves", "benchmark_results"):
        zoo.execute(f"DELETE FROM {table}")
    zoo.execute(sql.format(0))
    assert zoo.execute(stopped).fetchall() == resumed
