"""A query that predicts is interrupted soon, in whichever of DuckDB's threads, and waits for its turn."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import modelstore
from modelstore.interruption import check
from modelstore.training.predictor import ModelPredictor
from modelstore.turns import turn

Cursor = modelstore.Connection
SECONDS = 60
ONE_VECTOR, MANY = 2000, 1_000_000  # rows; of many, each of DuckDB's threads gets some
QUERY = "SELECT predict('two', text) FROM given"


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Predicting goes on until it is stopped; the event is set once it has begun."""
    begun, give_up = threading.Event(), threading.Event()

    def scores(self: ModelPredictor, rows: pa.Table) -> Any:
        begun.set()
        while not give_up.wait(0.01):
            check()
        raise AssertionError("it was not stopped")

    with monkeypatch.context() as patch:
        patch.setattr(ModelPredictor, "scores", scores)
        timer = threading.Timer(SECONDS, give_up.set)
        timer.start()
        yield begun
        timer.cancel()


@contextmanager
def threads(cursor: Cursor, rows: int) -> Iterator[None]:
    """Four threads of DuckDB's for a table of many rows."""
    [(before,)] = cursor.execute("SELECT current_setting('threads')").fetchall()
    cursor.execute("SET threads = 4")
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE given AS SELECT 'a film' AS text FROM range({rows})")
    try:
        yield
    finally:
        cursor.execute(f"SET threads = {before}")


@pytest.mark.parametrize("rows", [ONE_VECTOR, MANY])
def test_an_interrupt_stops_it_and_not_the_next_one(
    rows: int, cursor: Cursor, endless: threading.Event
) -> None:
    def interrupt() -> None:
        endless.wait(SECONDS)
        cursor.interrupt()

    with threads(cursor, rows):
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(duckdb.InterruptException, match="Interrupted"):
            cursor.execute(QUERY).fetchall()
        thread.join()
        cursor.interrupt()  # there is nothing to stop
        assert cursor.execute("SELECT embed('two', 'a film') IS NOT NULL").fetchall() == [(True,)]


@pytest.mark.parametrize("rows", [ONE_VECTOR, MANY])
def test_ctrl_c_stops_it_and_leaves_the_handler_as_it_was(
    rows: int, cursor: Cursor, endless: threading.Event
) -> None:
    def press() -> None:
        endless.wait(SECONDS)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when run in the background
    try:
        with threads(cursor, rows):
            thread = threading.Thread(target=press)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                cursor.execute(QUERY).fetchall()
            thread.join()
            assert cursor.execute("SELECT embed('two', 'a film') IS NOT NULL").fetchall() == [(True,)]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_model_that_does_not_stop_by_itself_is_ended(
    cursor: Cursor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def scores(self: ModelPredictor, rows: pa.Table) -> Any:
        begun.set()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(0.01)

    def interrupt() -> None:
        begun.wait(SECONDS)
        cursor.interrupt()

    monkeypatch.setattr(ModelPredictor, "scores", scores)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(duckdb.InterruptException):
        cursor.execute("SELECT predict('two', 'a film')").fetchall()
    thread.join()


def test_it_waits_for_its_turn_and_can_be_interrupted_meanwhile(predicting: Cursor) -> None:
    ended: list[Any] = []
    with predicting.cursor() as waiting, predicting.cursor() as patient:

        def run(cursor: Cursor) -> None:
            try:
                ended.append(cursor.execute("SELECT predict('two', 'a film')").fetchall())
            except duckdb.Error as error:
                ended.append(error)

        both = [threading.Thread(target=run, args=(cursor,)) for cursor in (waiting, patient)]
        with turn():
            for thread in both:
                thread.start()
            while not ended:
                waiting.interrupt()
                time.sleep(0.01)
            assert isinstance(ended[0], duckdb.InterruptException)
            both[0].join(SECONDS)
            assert len(ended) == 1
        both[1].join(SECONDS)
    assert ended[1] in ([("red",)], [("green",)], [("blue",)])


def test_queries_of_several_connections_predict_one_at_a_time_and_as_alone(predicting: Cursor) -> None:
    rng = np.random.default_rng(0)
    given = pa.table(
        {"place": range(300), "text": [" ".join(rng.choice(["good", "film", "bad"], 4)) for _ in range(300)]}
    )
    inside, most, lock = 0, 0, threading.Lock()
    scores = ModelPredictor.scores

    def counted(self: ModelPredictor, rows: pa.Table) -> Any:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return scores(self, rows)
        finally:
            inside -= 1

    found: list[Any] = []

    def run(cursor: Cursor, model: str) -> None:
        cursor.register("given", given)
        sql = f"SELECT predict_proba('{model}', text) FROM given ORDER BY place"
        found.append((model, cursor.execute(sql).fetchall()))

    with pytest.MonkeyPatch.context() as patch, predicting.cursor() as alone:
        for model in ("two", "many"):
            run(alone, model)
        patch.setattr(ModelPredictor, "scores", counted)
        cursors = [predicting.cursor() for _ in range(4)]
        all_threads = [
            threading.Thread(target=run, args=(cursor, ("two", "many")[number % 2]))
            for number, cursor in enumerate(cursors)
        ]
        for thread in all_threads:
            thread.start()
        for thread in all_threads:
            thread.join(SECONDS)
        for cursor in cursors:
            cursor.close()
    expected = dict(found[:2])
    assert len(found) == 6
    assert most == 1
    for model, rows in found[2:]:
        for (one,), (other,) in zip(rows, expected[model], strict=True):
            assert list(one.values()) == pytest.approx(list(other.values()), abs=1e-6)


def test_a_statement_that_trains_may_ask_for_models_by_what_one_predicts(
    store: Cursor, models: dict[str, Any]
) -> None:
    """While it has the turn, its own queries predict: in this thread, and in DuckDB's."""
    for name in ("two", "bert"):
        store.execute(f"CREATE MODEL {name} FROM '{models[name]}'")
    rows = {"text": ["a good film", "a bad film"] * 30, "label": ["up", "down"] * 30}
    store.register("rows", pa.table(rows))
    store.execute("CREATE DATASET d AS FROM rows")
    store.execute("SET threads = 4; CREATE TABLE many AS SELECT 'bert' AS name FROM range(300_000)")
    label = store.execute("SELECT predict('two', 'bert')").fetchone()
    assert label is not None
    found = store.execute(
        "RECALL 1 MODELS FOR d FROM (SELECT name FROM models WHERE name = 'bert' AND predict('two', name) = $label "
        "AND (SELECT count(*) FROM (FROM many LIMIT 4000) WHERE predict('two', name) = $label) = 4000) USING logme",
        {"label": label[0]},
    ).fetchall()
    assert len(found) == 1
    assert "bert" in found[0]
