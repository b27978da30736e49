"""Runs on record are not trained again, and budgets hold, with models that really train."""

from pathlib import Path

from tiny_models import TEXT_MODELS, TINY, TINY_STAGES
from watched_training import interrupted_training, trained_stages

import modelstore

Store = modelstore.Connection
SELECT = "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', stages_per_epoch = 2{})"


def test_only_the_winner_of_what_is_on_record_is_trained(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY_STAGES})")
    [again] = zoo.execute(SELECT.format(", reuse = false, register = false")).fetchall()
    assert "on record" not in str(zoo.execute("EXPLAIN " + SELECT.format(", reuse = false")).fetchall())
    rows = zoo.execute("EXPLAIN " + SELECT.format("")).fetchall()
    assert rows[1][1].startswith("4 models (4 of 4 on record), 2 epochs")
    with trained_stages() as trained:
        [row] = zoo.execute(SELECT.format("")).fetchall()
    assert row[1:6] == again[1:6]
    assert trained == [(row[1], stage) for stage in (1, 2, 3, 4)]
    assert (Path(row[7]) / "model.safetensors").exists()
    epochs = zoo.execute("SELECT epochs FROM selections ORDER BY id").fetchall()
    assert epochs == [(4 * 0.5 + 2 * 0.5 + 2 * 0.5,), (2.0,)]
    # Once it is on disk, nothing is trained at all, and it is registered once.
    with trained_stages() as trained:
        [third] = zoo.execute(SELECT.format("")).fetchall()
    assert third[1:5] == row[1:5]
    assert third[7] == row[7]
    assert trained == []
    assert zoo.execute("SELECT count(*) FROM models WHERE base IS NOT NULL").fetchone() == (1,)


def test_runs_of_another_seed_or_recipe_are_trained_again(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({TINY_STAGES})")
    for other in (", seed = 1", ", batch_size = 8"):
        rows = zoo.execute("EXPLAIN " + SELECT.format(other)).fetchall()
        assert "on record" not in str(rows)
    assert "1 of 4 on record" in str(zoo.execute("EXPLAIN " + SELECT.format("")).fetchall())


def test_a_stopped_selection_goes_on_with_what_it_reuses(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name LIKE 'bert%' ON texts WITH ({TINY_STAGES})")
    with interrupted_training(lambda run: run.model in ("albert", "distilbert") and len(run.curve) == 1):
        zoo.execute(SELECT.format("").replace("successive_halving", "brute_force"))
    with trained_stages() as trained:
        [row] = zoo.execute("RESUME SELECTION 1").fetchall()
    assert row[5] == 2.0
    assert {model for model, _ in trained} - {row[1]} <= {"albert", "distilbert"}


def test_a_budget_is_kept_and_its_winner_is_saved(zoo: Store) -> None:
    sql = (
        f"SELECT BEST MODEL FOR texts USING probability_of_improvement "
        f"WITH ({TINY_STAGES.replace('epochs = 2', 'epochs = 4')}, budget_epochs = {{}})"
    )
    plan = zoo.execute("EXPLAIN " + sql.format(5)).fetchall()
    assert "budget 5 epochs" in plan[1][0]
    [row] = zoo.execute(sql.format(5)).fetchall()
    [(epochs,)] = zoo.execute("SELECT epochs FROM selections").fetchall()
    assert row[5] == 4.0
    assert 4.0 <= epochs <= 5.0
    [short] = zoo.execute(sql.format(1) + "").fetchall()
    assert short[5] == 1.0
    assert (Path(short[7]) / "model.safetensors").exists()
    reason = zoo.execute(
        "SELECT reason FROM selection_stages WHERE selection = 2 AND action = 'won'"
    ).fetchone()
    assert reason == ("best prediction after 1 of 4 epochs, when the budget of 1 epochs was spent",)
    # A run that was cut short is no record of how the model ends.
    whole = "SELECT count(*) FROM (SELECT model FROM training_curves GROUP BY ALL HAVING max(epoch) < 4)"
    assert zoo.execute(whole).fetchone() == (0,)


def test_a_budget_in_seconds_ends_with_the_best_so_far(zoo: Store) -> None:
    longer = TINY_STAGES.replace("epochs = 2", "epochs = 100")
    [row] = zoo.execute(
        f"SELECT BEST MODEL FOR texts USING brute_force WITH ({longer}, budget_seconds = 2)"
    ).fetchall()
    assert row[1] in TEXT_MODELS
    assert row[5] < 100
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("done",)


def test_a_resumed_selection_has_what_is_left_of_its_budget(zoo: Store) -> None:
    longer = TINY_STAGES.replace("epochs = 2", "epochs = 4")
    with interrupted_training(lambda run: len(run.curve) == 2):
        zoo.execute(f"SELECT BEST MODEL FOR texts USING brute_force WITH ({longer}, budget_epochs = 7)")
    zoo.execute("RESUME SELECTION 1")
    [(status, epochs)] = zoo.execute("SELECT status, epochs FROM selections").fetchall()
    assert status == "done"
    assert epochs <= 7


def test_a_recorded_run_that_wins_when_the_budget_ends_is_whole(zoo: Store) -> None:
    options = TINY.replace("epochs = 2", "epochs = 4")
    zoo.execute(f"SELECT BEST MODEL FOR texts WHERE name = 'bert' USING brute_force WITH ({options})")
    for budget in (8, 9, 10):
        [row] = zoo.execute(
            f"SELECT BEST MODEL FOR texts USING brute_force WITH ({options}, budget_epochs = {budget})"
        ).fetchall()
        [(spent,)] = zoo.execute("SELECT epochs FROM selections WHERE id = ?", [row[8]]).fetchall()
        assert spent <= budget
        if row[1] == "bert":
            assert row[5] == 4.0
