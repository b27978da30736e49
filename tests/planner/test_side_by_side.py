"""Several models train at the same time: as one after another, whatever becomes of the worker processes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import torch
from tiny_models import create_text_dataset

import modelstore
from modelstore.execution.client import WorkerClient
from modelstore.execution.messages import Advance, Request
from modelstore.execution.pool import worker_pool
from modelstore.progress import shown_by
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
MODELS = ("bert", "bert_classifier", "distilbert", "albert", "gpt2")
RECIPE = "recipe = 'tiny', epochs = 2, learning_rate = 5e-3, batch_size = 16, max_length = 32, device = 'cpu'"
SELECT = f"SELECT BEST 3 MODELS FOR texts USING brute_force WITH ({RECIPE}, ensemble = true)"
BENCHMARK = f"BENCHMARK MODELS ON texts, others WITH ({RECIPE})"
STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"
CURVES = "SELECT model, dataset, stage, epoch, validation, test, train_loss FROM training_curves ORDER BY ALL"


def make(path: Path, model_path: Callable[[str], Path]) -> Store:
    store = modelstore.connect(path)
    for name in MODELS:
        store.execute(f"CREATE MODEL {name} FROM '{model_path(name)}'")
    for seed, dataset in enumerate(("texts", "others")):
        create_text_dataset(store, dataset, 120, seed)
    return store


@pytest.fixture
def zoo(tmp_path: Path, model_path: Callable[[str], Path]) -> Iterator[Store]:
    with make(tmp_path / "zoo.db", model_path) as store:
        yield store


@pytest.fixture
def alone(tmp_path: Path, model_path: Callable[[str], Path]) -> Iterator[Store]:
    """The same store, where one model trains after another."""
    with make(tmp_path / "alone.db", model_path) as store:
        yield store


@contextmanager
def two_at_once() -> Iterator[None]:
    """Each of two workers has one thread, as a test has alone."""
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(1)


@contextmanager
def asked(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[WorkerClient, Request[Any]], None]
) -> Iterator[list[type]]:
    """Within, something happens before a worker process is asked for anything; yields what it is asked for.

    This process waits until the other one trains, and is slow from then on, so that the other gets its share.
    """
    ask, advance, requests = WorkerClient.ask, FineTuning.advance, list[type]()
    trains = threading.Event()

    def slowly(self: FineTuning, *arguments: Any, **options: Any) -> Any:
        if trains.is_set():
            time.sleep(0.2)
        assert trains.wait(60), "the worker process was not asked to train"
        return advance(self, *arguments, **options)

    def watched(self: WorkerClient, request: Request[Any], *arguments: Any) -> Any:
        requests.append(type(request))
        if isinstance(request, Advance):
            trains.set()
        before(self, request)
        return ask(self, request, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(WorkerClient, "ask", watched)
        patch.setattr(FineTuning, "advance", slowly)
        yield requests


@pytest.fixture(autouse=True)
def _a_worker_process_is_ready() -> None:
    """Ready before anything begins, so that it has its share of a test's work."""
    with worker_pool(["cpu", "cpu"]) as (_, worker):
        while not worker.ready:
            assert isinstance(worker, WorkerClient)
            assert worker.alive
            time.sleep(0.01)


def nothing(worker: WorkerClient, request: Request[Any]) -> None:
    pass


def without_seconds(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rank, model, validation, test, epochs; a benchmark's dataset and status."""
    return [tuple(value for place, value in enumerate(row) if place not in (5, 6, 7)) for row in rows]


def test_a_selection_ends_as_one_after_another(
    zoo: Store, alone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Winners that a worker process has are tested, weighed and saved like any other."""
    expected = alone.execute(SELECT).fetchall()
    with two_at_once(), asked(monkeypatch, nothing) as requests:
        rows = zoo.execute(SELECT).fetchall()
    assert requests.count(Advance) >= 2
    assert without_seconds(rows) == without_seconds(expected)
    for query in (STAGES, CURVES):
        assert zoo.execute(query).fetchall() == alone.execute(query).fetchall()
    assert all(Path(row[6]).exists() for row in rows)


def test_a_benchmark_ends_as_one_after_another(
    zoo: Store, alone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone.execute(BENCHMARK).fetchall()
    with two_at_once(), asked(monkeypatch, nothing) as requests:
        rows = zoo.execute(BENCHMARK).fetchall()
    assert requests.count(Advance) >= 4
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    assert zoo.execute(CURVES).fetchall() == alone.execute(CURVES).fetchall()
    telemetry = "SELECT count(*) FROM training_telemetry WHERE peak_memory IS NOT NULL"
    assert zoo.execute(telemetry).fetchone() == (len(rows),)


def test_runs_on_record_are_walked_beside_those_that_train(
    zoo: Store, alone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever worker, stage after stage."""
    statement = SELECT.replace("3 MODELS", "4 MODELS").replace(", ensemble = true", "")
    for store in (zoo, alone):
        store.execute(f"BENCHMARK MODELS WHERE name NOT IN ('bert', 'gpt2') ON texts WITH ({RECIPE})")
    expected = alone.execute(statement).fetchall()
    with two_at_once(), asked(monkeypatch, nothing) as requests:
        rows = zoo.execute(statement).fetchall()
    assert Advance in requests
    assert without_seconds(rows) == without_seconds(expected)
    assert {row[4] for row in rows} == {2.0}
    assert zoo.execute(STAGES).fetchall() == alone.execute(STAGES).fetchall()


@pytest.mark.parametrize(("statement", "when"), [(SELECT, 1), (SELECT, 2), (SELECT, 4), (BENCHMARK, 4)])
def test_what_a_lost_worker_had_is_trained_elsewhere(
    statement: str, when: int, zoo: Store, alone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had of the stage before is read from disk, what it had done of this one is trained again."""
    alone.execute(statement)
    advanced: list[WorkerClient] = []

    def kill(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            if len(advanced) == when:
                os.kill(worker.transport.pid, signal.SIGKILL)

    with two_at_once(), asked(monkeypatch, kill):
        zoo.execute(statement)
    assert len(advanced) == when
    for query in (STAGES, CURVES):
        rows, expected = (store.execute(query).fetchall() for store in (zoo, alone))
        # What is left alone is trained on both threads, to other last digits.
        assert rows == [
            tuple(pytest.approx(value, abs=1e-4, nan_ok=True) for value in row) for row in expected
        ]
    assert zoo.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)


def test_a_model_that_fails_in_a_worker_process_says_why(
    zoo: Store, model_copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights have gone since it was registered, and the others go on."""
    for name in ("broken", "wrecked"):
        folder = model_copy("bert")
        zoo.execute(f"CREATE MODEL {name} FROM '{folder.rename(folder.with_name(name))}'")
        (folder.with_name(name) / "model.safetensors").write_bytes(b"nothing")
    with two_at_once(), asked(monkeypatch, nothing) as requests:
        zoo.execute(f"BENCHMARK MODELS ON texts WITH ({RECIPE})")
    assert Advance in requests
    reasons = dict(zoo.execute("SELECT model, reason FROM benchmark_failures").fetchall())
    assert set(reasons) == {"broken", "wrecked"}
    assert all("cannot be loaded" in reason for reason in reasons.values())
    assert zoo.execute("SELECT count(*) FROM benchmark_results").fetchone() == (len(MODELS),)


def test_a_stopped_selection_stops_its_workers_and_goes_on_with_them(
    zoo: Store, alone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = alone.execute(SELECT).fetchall()
    advanced: list[WorkerClient] = []

    def interrupt(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            if len(advanced) == 4:
                zoo.interrupt()

    with two_at_once():
        with asked(monkeypatch, interrupt), pytest.raises(duckdb.InterruptException):
            zoo.execute(SELECT)
        assert advanced[-1].alive
        with asked(monkeypatch, nothing) as requests:
            rows = zoo.execute("RESUME SELECTION 1").fetchall()
    assert Advance in requests
    assert without_seconds(rows) == without_seconds(expected)
    assert zoo.execute(STAGES).fetchall() == alone.execute(STAGES).fetchall()


def test_a_ctrl_c_leaves_workers_that_can_be_asked_again(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    advanced: list[WorkerClient] = []

    def ctrl_c(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.1)

    with two_at_once():
        with asked(monkeypatch, ctrl_c), pytest.raises(KeyboardInterrupt):
            zoo.execute(BENCHMARK)
        with asked(monkeypatch, nothing) as requests:
            rows = zoo.execute(BENCHMARK).fetchall()
    assert advanced[0].alive
    assert Advance in requests
    assert {row[5] for row in rows} <= {"done", "skipped"}


def test_a_budget_of_seconds_ends_what_several_train(zoo: Store) -> None:
    statement = SELECT.replace("epochs = 2", "epochs = 5000").replace("ensemble = true", "budget_seconds = 3")
    with two_at_once():
        rows = zoo.execute(statement.replace("BEST 3 MODELS", "BEST MODEL")).fetchall()
    [(reason,)] = zoo.execute("SELECT reason FROM selection_stages WHERE action = 'won'").fetchall()
    assert "when the budget of 3 s was spent" in reason
    assert Path(rows[0][6]).is_dir()


def test_explain_says_how_many_train_at_once(zoo: Store) -> None:
    with two_at_once():
        plan = str(zoo.execute(f"EXPLAIN {SELECT}").fetchall())
        pairs = str(zoo.execute(f"EXPLAIN {BENCHMARK}").fetchall())
    assert "5 models, 2 at once" in plan
    assert "10 pairs, 2 at once" in pairs
    assert "at once" not in str(zoo.execute(f"EXPLAIN {SELECT}").fetchall())


class Bars:
    """A display that counts the batches."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def bar(self, total: float, description: str, unit: str) -> Any:
        from tqdm import tqdm

        with open(os.devnull, "w") as nowhere:
            bar = tqdm(total=total, desc=description, file=nowhere, mininterval=1e9)
        self.shown.append(bar)
        return bar

    def emit(self, event: object) -> None:
        pass

    def notify(self, message: str) -> None:
        pass


def test_the_bar_counts_what_all_of_them_train(zoo: Store) -> None:
    bars = Bars()
    with two_at_once(), shown_by(bars):
        zoo.execute(BENCHMARK)
    [bar] = bars.shown
    assert bar.n == bar.total == 2 * 5 * 2 * 6
