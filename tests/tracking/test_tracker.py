"""Events of selections and benchmarks reach a tracker in order, and nothing that it does reaches a statement."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_models import text_rows

import modelstore
from modelstore.events import Decided, ModelTrained, PairBenchmarked, SelectionBegan, SelectionEnded
from modelstore.shell.main import main
from modelstore.tracking import Tracker, tracker_at

SELECT = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 2)"
Logs = list[list[object]]  # the events of each statement
Tracked = Callable[[Tracker], modelstore.Connection]


@pytest.fixture
def tracked(recorded_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Tracked]:
    """Opens a copy of the store of `recorded`, tracked by a tracker."""
    opened: list[modelstore.Connection] = []

    def connect(tracker: Tracker) -> modelstore.Connection:
        monkeypatch.setattr("modelstore.tracking.tracker_at", lambda address: tracker)
        (tmp_path / "zoo.db").write_bytes(recorded_file.read_bytes())
        opened.append(modelstore.connect(tmp_path / "zoo.db", tracking="mlflow:"))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def logs() -> Logs:
    return []


@pytest.fixture
def tracker(logs: Logs) -> Tracker:
    def new_log() -> Callable[[object], None]:
        logs.append([])
        return logs[-1].append

    return Tracker(new_log)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people are told: by the panel, which there is not always, or by a warning."""
    lines: list[str] = []
    monkeypatch.setattr("modelstore.tracking.tracker.notify", lines.append)
    monkeypatch.setattr(
        logging.getLogger("modelstore.tracking.tracker"), "warning", lambda form, line: lines.append(line)
    )
    return lines


def of(events: list[object], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def test_a_selection_is_heard_from_its_beginning_to_its_end(
    tracked: Tracked, tracker: Tracker, logs: Logs
) -> None:
    with tracked(tracker) as store:
        [(_, best, *_)] = store.execute(SELECT).fetchall()
        [selection] = store.execute("SELECT id, method FROM selections").fetchall()
        store.execute("EXPLAIN " + SELECT)
        store.execute("COMPARE STRATEGIES ON d1 WITH (epochs = 2)")
        store.cursor().execute(SELECT)
    assert len(logs) == 2  # the replays that EXPLAIN and COMPARE do are none
    events = logs[0]
    began, ended = events[0], events[-1]
    assert isinstance(began, SelectionBegan)
    assert ((began.id, began.method), began.dataset) == (selection, "d0")
    assert began.options["epochs"] == 2
    assert began.arms["a1"] == ("a1", "default")
    trained = of(events, ModelTrained)
    assert {event.point.stage for event in trained} <= {1, 2}
    assert all(event.point.test is not None for event in trained)
    assert of(events, Decided)[-1].decisions[0].model == best
    assert isinstance(ended, SelectionEnded)
    assert (ended.status, ended.winners[0]["model"]) == ("done", best)


def test_a_failed_selection_ends(tracked: Tracked, tracker: Tracker, logs: Logs) -> None:
    with tracked(tracker) as store:
        store.execute("DELETE FROM training_curves WHERE model = 'a1' AND dataset = 'd0' AND stage > 1")
        with pytest.raises(modelstore.MissingRecordError):
            store.execute(
                "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 2)"
            ).fetchall()
    ended = logs[-1][-1]
    assert isinstance(ended, SelectionEnded)
    assert ended.status == "failed"
    assert "a1" in (ended.reason or "")


def test_benchmarked_pairs_are_heard_as_they_end(
    tracked: Tracked, tracker: Tracker, logs: Logs, model_path: Callable[[str], Path]
) -> None:
    import numpy as np

    rows = text_rows(40, np.random.default_rng(0))
    with tracked(tracker) as store:
        store.register("rows", rows)
        store.execute("CREATE DATASET t AS SELECT * FROM rows")
        for name, path in (("bert", model_path("bert")), ("gone", model_path("bert"))):
            store.execute("CREATE MODEL $name FROM $path", {"name": name, "path": str(path)})
        store.execute("UPDATE models SET uri = uri || '-moved' WHERE name = 'gone'")
        store.execute("BENCHMARK MODELS ON t WITH (epochs = 1, learning_rate = 1e-3, seed = 5)")
        [score] = store.execute("SELECT score FROM benchmark_results WHERE dataset = 't'").fetchone() or [
            None
        ]
    pairs = {event.model: event for event in of(logs[-1], PairBenchmarked)}
    done = pairs["bert"]
    assert (done.dataset, done.seed, done.metric, done.score) == ("t", 5, "accuracy", score)
    assert done.options["learning_rate"] == 1e-3
    assert [point.stage for point in done.curve] == list(range(1, len(done.curve) + 1))
    assert pairs["gone"].score is None
    assert "moved" in (pairs["gone"].reason or "")


def test_a_tracker_that_fails_is_said_once_and_fails_no_selection(tracked: Tracked, said: list[str]) -> None:
    heard: list[object] = []

    def new_log() -> Callable[[object], None]:
        def log(event: object) -> None:
            heard.append(event)
            raise SystemExit("the server at tracking:5000 is gone")

        return log

    with tracked(Tracker(new_log)) as store:
        for _ in range(3):
            assert len(store.execute(SELECT).fetchall()) == 1
    assert [type(event) for event in heard] == [SelectionBegan] * 3  # a statement's first failure is its last
    [line] = said
    assert "the server at tracking:5000 is gone" in line


def test_a_tracker_that_hangs_keeps_nothing_waiting(
    tracked: Tracked, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def new_log() -> Callable[[object], None]:
        go_on.wait()
        return lambda event: None

    monkeypatch.setattr(Tracker.flush, "__defaults__", (0.01,))
    with tracked(Tracker(new_log)) as store:
        assert len(store.execute(SELECT).fetchall()) == 1  # it would never end
    go_on.set()
    [line] = said
    assert "took more than 0.01 s" in line


def test_an_address_of_no_tracker_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--tracking", "wandb:me", "-c", "SELECT 1"]) == 1
    assert capsys.readouterr().err.startswith('modelstore: tracking is "wandb:me", and should name MLflow')
    for address in ("wandb:me", "sqlite:///mlflow.db", ""):
        with pytest.raises(modelstore.OptionError, match="should name MLflow and its store"):
            modelstore.connect(tracking=address)
    monkeypatch.setattr("modelstore.tracking.tracker.find_spec", lambda name: None)
    with pytest.raises(modelstore.OptionError, match=r"pip install modelstore\[mlflow\]"):
        tracker_at("mlflow:sqlite:///mlflow.db")


def test_nothing_is_printed_when_a_program_ends_with_a_tracked_connection_open(recorded_file: Path) -> None:
    """The thread has ended by then: what it held would be left, which DuckDB's bindings complain about."""
    program = (
        "import modelstore, shutil, sys, tempfile\n"
        "from modelstore import tracking\n"
        "tracking.tracker_at = lambda address: tracking.Tracker(lambda: lambda event: None)\n"
        "path = shutil.copy(sys.argv[1], tempfile.mkdtemp())\n"
        "store = modelstore.connect(path, tracking='mlflow:')\n"
        f'store.execute("{SELECT}")\n'
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(recorded_file)], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
