"""What takes long stops at its next step once its statement is interrupted."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import pytest

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.interruption import Interruption, check, forced_is_interrupted, stopped_by
from modelstore.options import TrainingOptions
from modelstore.training.features import extract
from modelstore.training.finetune import FineTuning
from modelstore.udfs.gaussian_mixture import gaussian_mixture

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


@pytest.fixture
def stop() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_a_check_stops_only_the_thread_whose_event_is_set(stop: threading.Event) -> None:
    check()
    passed: list[bool] = []
    with stopped_by(stop):
        other = threading.Thread(target=lambda: passed.append(check() is None))
        other.start()
        other.join()
        with pytest.raises(duckdb.InterruptException, match="Interrupted"):
            check()
    assert passed == [True]
    check()


def test_a_check_stops_for_the_event_of_a_block_around_it(stop: threading.Event) -> None:
    with stopped_by(stop), stopped_by(threading.Event()), pytest.raises(duckdb.InterruptException):
        check()


def test_a_ctrl_c_before_an_extension_statement_has_begun_stops_it(
    stop: threading.Event, recorded: modelstore.Connection
) -> None:
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        recorded.execute("SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)")
    assert recorded.execute("SELECT count(*) FROM selections").fetchall() == [(0,)]


def test_training_and_evaluation_stop(stop: threading.Event, model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=64), TrainingOptions(device="cpu"))
    batches: list[int] = []

    def after_one() -> None:
        batches.append(1)
        stop.set()

    stop.clear()
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        run.advance(on_batch=after_one)
    assert (len(batches), run.curve) == (1, [])
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        run.test()


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("vit", "image")])
def test_reading_a_dataset_stops(
    model: str,
    kind: str,
    stop: threading.Event,
    model_path: Paths,
    dataset: Datasets,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path))  # where nothing is read already
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        FineTuning(model, model_path(model), dataset(kind, rows=32), TrainingOptions(device="cpu"))


def test_extracting_features_stops(stop: threading.Event, model_path: Paths, dataset: Datasets) -> None:
    stop.clear()
    data = dataset("text", rows=64)
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        extract("bert", model_path("bert"), data, batch_size=16, device="cpu", on_batch=stop.set)


def test_fitting_a_mixture_stops(stop: threading.Event) -> None:
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        gaussian_mixture(np.random.default_rng(0).normal(size=(50, 2)), 3)


def test_work_that_never_checks_is_ended_by_an_error_that_libraries_do_not_take() -> None:
    """Such as a library that builds a network of a million layers."""
    interruption, began, ended = Interruption(), threading.Event(), list[str]()

    def work() -> None:
        try:
            with forced_is_interrupted(), interruption.working():
                began.set()
                while True:
                    try:
                        sum(range(100))
                    except Exception:
                        ended.append("taken")
        except duckdb.InterruptException as error:
            ended.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    began.wait()
    interruption.interrupt()
    thread.join(timeout=30)
    assert ended == ["INTERRUPT Error: Interrupted!"]


def test_work_that_stops_by_itself_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored then must not be disturbed."""
    monkeypatch.setattr("modelstore.interruption.PATIENCE", 0.01)
    interruption, undisturbed = Interruption(), list[bool]()

    def work() -> None:
        with interruption.working():
            interruption.interrupt()
            try:
                check()
            except duckdb.InterruptException:
                deadline = time.monotonic() + 0.2
                while time.monotonic() < deadline:
                    pass
                undisturbed.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=30)
    assert undisturbed == [True]


def test_an_interruption_that_comes_too_late_disturbs_no_later_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelstore.interruption.PATIENCE", 0.01)
    interruption = Interruption()
    for _ in range(20):
        with suppress(duckdb.InterruptException), forced_is_interrupted(), interruption.working():
            interruption.clear()
            interruption.interrupt()
        deadline = time.monotonic() + 0.02
        while time.monotonic() < deadline:  # where an error that is still to come would be raised
            pass


def test_an_interruption_ends_no_process_that_later_work_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that begins at once after one that was interrupted asks the same workers."""
    monkeypatch.setattr("modelstore.interruption.PATIENCE", 0.05)
    interruption, ended = Interruption(), list[str]()

    def wait() -> None:
        while True:
            time.sleep(0.01)

    with interruption.working(), interruption.ended_by(lambda: ended.append("interrupted")):
        interruption.interrupt()
        with pytest.raises(KeyboardInterrupt):
            wait()
    assert ended == ["interrupted"]
    with interruption.working():
        interruption.interrupt()
    interruption.clear()
    with interruption.working(), interruption.ended_by(lambda: ended.append("later")):
        time.sleep(0.2)
    assert ended == ["interrupted"]


def test_a_program_that_builds_for_long_is_interrupted_by_its_connection(
    store: modelstore.Connection, monkeypatch: pytest.MonkeyPatch, model_path: Paths
) -> None:
    began = threading.Event()

    def build(*_: object) -> None:
        began.set()
        while True:
            pass

    monkeypatch.setattr("modelstore.planner.catalog.statement.inspect_model", build)
    interrupter = threading.Thread(target=lambda: began.wait() and store.interrupt())
    interrupter.start()
    with pytest.raises(duckdb.InterruptException):
        store.execute(f"CREATE MODEL m FROM '{model_path('bert')}'")
    interrupter.join()
    assert store.execute("SELECT count(*) FROM models").fetchall() == [(0,)]


def test_a_ctrl_c_while_rows_are_read_is_no_failure_of_a_pair(
    recorded: modelstore.Connection, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB tells it by an error of its own."""
    recorded.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
    recorded.execute("CREATE DATASET d AS SELECT 'text ' || i AS text, i % 2 AS label FROM range(40) AS r(i)")

    def read(*_: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("modelstore.planner.benchmark.training.load_dataset", read)
    monkeypatch.setattr("modelstore.planner.recall.scoring.compute_scores", read)
    for statement in ("BENCHMARK MODELS ON d", "RECALL 1 MODELS FOR d USING logme"):
        with pytest.raises(KeyboardInterrupt):
            recorded.execute(statement)
    assert recorded.execute("SELECT count(*) FROM benchmark_failures").fetchall() == [(0,)]
