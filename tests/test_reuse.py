"""Runs on record are not trained again, and budgets hold, with models that really train."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_resume import MODELS, TINY, count_advances, make, stop_at

import modelstore

Store = modelstore.Connection
SELECT = "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', stages_per_epoch = 2{})"


@pytest.fixture
def zoo(tmp_path: Path, model_path: Callable[[str], Path]) -> Any:
    with make(tmp_path / "zoo.db", model_path) as store:
        yield store


def test_only_the_winner_of_what_is_on_record_is_trained(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY})")
    [again] = zoo.execute(SELECT.format(", reuse = false, register = false")).fetchall()
    assert "on record" not in str(zoo.execute("EXPLAIN " + SELECT.format(", reuse = false")).fetchall())
    rows = zoo.execute("EXPLAIN " + SELECT.format("")).fetchall()
    assert rows[1][1].startswith("4 models (4 of 4 on record), 2 epochs")
    advances = count_advances(monkeypatch)
    [row] = zoo.execute(SELECT.format("")).fetchall()
    assert row[1:5] == again[1:5]
    assert advances == [(row[1], stage) for stage in (1, 2, 3, 4)]
    assert (Path(row[6]) / "model.safetensors").exists()
    epochs = zoo.execute("SELECT epochs FROM selections ORDER BY id").fetchall()
    assert epochs == [(4 * 0.5 + 2 * 0.5 + 2 * 0.5,), (2.0,)]
    # Once it is on disk, nothing is trained at all, and it is registered once.
    advances.clear()
    [third] = zoo.execute(SELECT.format("")).fetchall()
    assert third[1:4] == row[1:4]
    assert third[6] == row[6]
    assert advances == []
    assert zoo.execute("SELECT count(*) FROM models WHERE base IS NOT NULL").fetchone() == (1,)


def test_runs_of_another_seed_or_recipe_are_trained_again(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({TINY})")
    for other in (", seed = 1", ", batch_size = 8"):
        rows = zoo.execute("EXPLAIN " + SELECT.format(other)).fetchall()
        assert "on record" not in str(rows)
    assert "1 of 4 on record" in str(zoo.execute("EXPLAIN " + SELECT.format("")).fetchall())


def test_a_stopped_selection_goes_on_with_what_it_reuses(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name LIKE 'bert%' ON texts WITH ({TINY})")
    with monkeypatch.context() as patch:
        stop_at(patch, "albert", 2)
        stop_at(patch, "distilbert", 2)
        with pytest.raises(KeyboardInterrupt):
            zoo.execute(SELECT.format("").replace("successive_halving", "brute_force"))
    advances = count_advances(monkeypatch)
    [row] = zoo.execute("RESUME SELECTION 1").fetchall()
    assert row[4] == 2.0
    trained = {model for model, _ in advances}
    assert trained - {row[1]} <= {"albert", "distilbert"}


def test_a_budget_is_kept_and_its_winner_is_saved(zoo: Store) -> None:
    sql = (
        f"SELECT BEST MODEL FOR texts USING probability_of_improvement "
        f"WITH ({TINY.replace('epochs = 2', 'epochs = 4')}, budget_epochs = {{}})"
    )
    plan = zoo.execute("EXPLAIN " + sql.format(5)).fetchall()
    assert "budget 5 epochs" in plan[1][0]
    [row] = zoo.execute(sql.format(5)).fetchall()
    [(epochs,)] = zoo.execute("SELECT epochs FROM selections").fetchall()
    assert row[4] == 4.0
    assert 4.0 <= epochs <= 5.0
    [short] = zoo.execute(sql.format(1) + "").fetchall()
    assert short[4] == 1.0
    assert (Path(short[6]) / "model.safetensors").exists()
    reason = zoo.execute(
        "SELECT reason FROM selection_stages WHERE selection = 2 AND action = 'won'"
    ).fetchone()
    assert reason == ("best prediction after 1 of 4 epochs, when the budget of 1 epochs was spent",)
    # A run that was cut short is no record of how the model ends.
    whole = "SELECT count(*) FROM (SELECT model FROM training_curves GROUP BY ALL HAVING max(epoch) < 4)"
    assert zoo.execute(whole).fetchone() == (0,)


def test_a_budget_in_seconds_ends_with_the_best_so_far(zoo: Store) -> None:
    longer = TINY.replace("epochs = 2", "epochs = 100")
    [row] = zoo.execute(
        f"SELECT BEST MODEL FOR texts USING brute_force WITH ({longer}, budget_seconds = 2)"
    ).fetchall()
    assert row[1] in MODELS
    assert row[4] < 100
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("done",)


def test_what_is_left_of_a_budget_is_what_a_resumed_selection_has(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = TINY.replace("epochs = 2", "epochs = 4")
    with monkeypatch.context() as patch:
        stop_at(patch, "bert", 3)
        stop_at(patch, "albert", 3)
        stop_at(patch, "distilbert", 3)
        stop_at(patch, "bert_classifier", 3)
        with pytest.raises(KeyboardInterrupt):
            zoo.execute(f"SELECT BEST MODEL FOR texts USING brute_force WITH ({longer}, budget_epochs = 7)")
    zoo.execute("RESUME SELECTION 1")
    [(status, epochs)] = zoo.execute("SELECT status, epochs FROM selections").fetchall()
    assert status == "done"
    assert epochs <= 7
