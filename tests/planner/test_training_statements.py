"""What holds for every statement that trains: not inside a transaction, and until it is interrupted."""

import threading
import time
from typing import Any

import duckdb
import pytest
from tiny_models import TINY

import modelstore
from modelstore.connection.script_runner import ScriptRunner
from modelstore.progress import progress
from modelstore.store.selections import SelectionLog

Store = modelstore.Connection


def test_a_statement_that_trains_is_refused_inside_a_transaction(zoo: Store) -> None:
    zoo.execute("BEGIN")
    for sql in (f"BENCHMARK MODELS ON texts WITH ({TINY})", f"SELECT BEST MODEL FOR texts WITH ({TINY})"):
        with pytest.raises(modelstore.StoreError, match="cannot run inside BEGIN"):
            zoo.execute(sql)
    zoo.execute("ROLLBACK")


def test_it_runs_before_the_work_of_a_transaction_that_a_client_began(zoo: Store) -> None:
    sql = f"BENCHMARK MODELS FROM (SELECT 'bert' AS name) ON texts WITH ({TINY})"
    zoo.begin()
    zoo.execute("FROM models")  # a client may look around first
    rows = zoo.execute(sql).fetchall()
    assert [row[0] for row in rows] == ["bert"]
    zoo.execute("CREATE TABLE mine (a INT)")
    with pytest.raises(modelstore.StoreError, match="cannot run inside BEGIN"):
        zoo.execute(sql)
    zoo.rollback()
    assert zoo.execute("SELECT model FROM benchmark_results").fetchall() == [("bert",)]
    with pytest.raises(modelstore.Error):
        zoo.execute("FROM mine")


def test_it_sees_what_was_stored_since_that_transaction_began(zoo: Store) -> None:
    sql = f"BENCHMARK MODELS FROM (SELECT 'bert' AS name) ON texts WITH ({TINY})"
    client = zoo.duplicate()
    client.begin()
    client.execute("FROM models")
    assert [row[-1] for row in zoo.execute(sql).fetchall()] == ["done"]
    assert [row[-1] for row in client.execute(sql).fetchall()] == ["skipped"]
    client.rollback()
    client.close()


@pytest.mark.parametrize("change", ["INSERT INTO recipes (name) VALUES ('mine')", "CLUSTER MODELS"])
def test_it_is_refused_after_a_change_in_that_transaction(zoo: Store, change: str) -> None:
    zoo.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('bert', 'd', 0.5)")
    for run in (zoo.execute, zoo.sql):
        zoo.begin()
        run(change)
        with pytest.raises(modelstore.StoreError, match="cannot run inside BEGIN"):
            zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY})")
        zoo.rollback()


@pytest.mark.parametrize(
    ("statement", "logged"),
    [
        ("SELECT BEST MODEL FOR texts USING brute_force", [("stopped", "interrupted")]),
        ("BENCHMARK MODELS ON texts", []),
    ],
)
def test_an_interrupt_from_another_thread_ends_training(
    zoo: Store, statement: str, logged: list[str]
) -> None:
    training = threading.Event()

    def stop() -> None:
        training.wait(60)
        zoo.interrupt()

    with pytest.MonkeyPatch.context() as patch:
        for place in ("planner.select.trainers", "planner.benchmark.training"):
            patch.setattr(f"modelstore.{place}.progress", lambda *a: (training.set(), progress(*a))[1])
        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(duckdb.InterruptException, match="Interrupted"):
            zoo.execute(f"{statement} WITH (recipe = 'long', epochs = 1000, batch_size = 2)")
        thread.join()
    assert zoo.execute("SELECT status, reason FROM selections").fetchall() == logged
    assert zoo.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)
    assert zoo.execute("SELECT count(*) FROM training_curves").fetchone() == (0,)


def test_how_an_interrupted_selection_ended_is_stored(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The query that stores it is not itself interrupted."""
    interrupt, finish, training = ScriptRunner.interrupt, SelectionLog.finish, threading.Event()

    def slowly(self: ScriptRunner) -> None:
        interrupt(self)
        time.sleep(0.2)

    def store(self: SelectionLog, *arguments: Any, **named: Any) -> None:
        zoo._duckdb.execute("SELECT sum(hash(a) % 7) FROM range(100_000_000) AS r(a)")
        finish(self, *arguments, **named)

    monkeypatch.setattr(ScriptRunner, "interrupt", slowly)
    monkeypatch.setattr(SelectionLog, "finish", store)
    monkeypatch.setattr(
        "modelstore.planner.select.trainers.progress", lambda *a: (training.set(), progress(*a))[1]
    )
    thread = threading.Thread(target=lambda: training.wait(60) and zoo.interrupt())
    thread.start()
    with pytest.raises(duckdb.InterruptException):
        zoo.execute("SELECT BEST MODEL FOR texts USING brute_force WITH (recipe = 'long', epochs = 1000)")
    thread.join()
    assert zoo.execute("SELECT status, reason FROM selections").fetchall() == [("stopped", "interrupted")]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("name = 'bert'", 'the model "bert" cannot be a candidate: it takes image models'),
        ("modality = 'text'", "none of the 4 models can be a candidate: it takes image models"),
    ],
)
def test_models_of_another_modality_are_no_candidates(zoo: Store, where: str, said: str) -> None:
    with pytest.raises(modelstore.NotFoundError, match=said):
        zoo.execute(f"SELECT BEST MODEL FOR images WHERE {where}")
