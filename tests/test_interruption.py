"""What takes long stops at its next step once its statement is interrupted."""

import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.interruption import check, stopped_by
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
