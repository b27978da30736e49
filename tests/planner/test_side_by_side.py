"""Several models train at the same time: as one after another, whatever becomes of the worker processes."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
import torch
from forked import ForkedTransport
from tiny_models import TINY
from watched_training import before_each_request, before_each_stage, without_seconds

import modelstore
from modelstore.execution import messages, pool
from modelstore.execution.client import RemoteRun, WorkerClient
from modelstore.execution.messages import Advance, Request
from modelstore.execution.pool import WorkerPool, worker_pool
from modelstore.interruption import check
from modelstore.progress import shown_by
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
SELECT = f"SELECT BEST 3 MODELS FOR texts USING brute_force WITH ({TINY}, device = 'cpu', ensemble = true)"
BENCHMARK = f"BENCHMARK MODELS ON texts, others WITH ({TINY}, device = 'cpu')"
STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"
CURVES = "SELECT model, dataset, stage, epoch, validation, test, train_loss FROM training_curves ORDER BY ALL"
SECONDS = 60  # after which a test that waits for another thread or process has failed


@pytest.fixture(scope="module")
def five_models(
    zoo_file: Path, model_path: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The file of a store with five text models. Not to be changed."""
    path = tmp_path_factory.mktemp("five") / "zoo.db"
    shutil.copy(zoo_file, path)
    with modelstore.connect(path) as store:
        store.execute(f"CREATE MODEL gpt2 FROM '{model_path('gpt2')}'")
    return path


@pytest.fixture
def zoo(five_models: Path, opened_copy: Callable[[Path], Store]) -> Store:
    return opened_copy(five_models)


class Ended(NamedTuple):
    """A store in which a statement has run, and the statement's result."""

    store: Store
    rows: list[Any]


@pytest.fixture(scope="module")
def alone(five_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Ended]]:
    """Gives the same store after a statement that trained one model after another. Not to be changed."""
    ended: dict[str, Ended] = {}
    with ExitStack() as stores:

        def after(*statements: str) -> Ended:
            if statements[-1] not in ended:
                path = shutil.copy(five_models, tmp_path_factory.mktemp("alone"))
                store = stores.enter_context(modelstore.connect(path))
                rows = [store.execute(statement).fetchall() for statement in statements]
                ended[statements[-1]] = Ended(store, rows[-1])
            return ended[statements[-1]]

        yield after


@contextmanager
def two_at_once() -> Iterator[None]:
    """Each of two workers has one thread, as a test has alone."""
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(1)


@contextmanager
def asked(before: Callable[[WorkerClient, Request[Any]], None], share: int = 2) -> Iterator[list[type]]:
    """Within the context, something happens before a worker process is asked for anything; yields the requests.

    This process does not train a stage before the worker process was asked to train ``share`` models for it, so
    that both get a part of the work.
    """
    advance, requests = RemoteRun.advance, list[type]()
    begun: list[int] = []  # the stages that the worker process was asked for
    changed = threading.Condition()
    lost = False

    def wait_for_the_other(run: FineTuning) -> None:
        end = time.monotonic() + SECONDS
        with changed:
            while not lost and begun.count(len(run.curve)) < share:
                assert time.monotonic() < end, "the worker process was not asked to train"
                changed.wait(0.05)
                check()

    def counted(self: RemoteRun, *arguments: Any, **options: Any) -> Any:
        nonlocal lost
        with changed:
            begun.append(len(self.curve))
            changed.notify_all()
        try:
            return advance(self, *arguments, **options)
        except BaseException:
            with changed:
                lost = True
                changed.notify_all()
            raise

    def noted(worker: WorkerClient, request: Request[Any]) -> None:
        requests.append(type(request))
        before(worker, request)

    with (
        pytest.MonkeyPatch.context() as patch,
        before_each_stage(wait_for_the_other),
        before_each_request(noted),
    ):
        patch.setattr(RemoteRun, "advance", counted)
        yield requests


@pytest.fixture(scope="module", autouse=True)
def _workers_are_forked() -> Iterator[None]:
    """As many tests kill theirs, and a new one would load torch."""
    workers = WorkerPool(start=ForkedTransport)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_pool", workers)
        yield
    workers.close()


@pytest.fixture(autouse=True)
def _a_worker_process_is_ready(_workers_are_forked: None) -> None:
    """Ready before anything begins, so that it has its share of a test's work."""
    with worker_pool(["cpu", "cpu"]) as workers:
        _, worker = workers.present()
        assert isinstance(worker, WorkerClient)
        assert worker.wait_until_ready(SECONDS)


def nothing(worker: WorkerClient, request: Request[Any]) -> None:
    pass


def test_a_selection_ends_as_one_after_another(zoo: Store, alone: Callable[..., Ended]) -> None:
    """Winners that a worker process has are tested, weighed and saved like any other."""
    expected = alone(SELECT)
    with two_at_once(), asked(nothing) as requests:
        rows = zoo.execute(SELECT).fetchall()
    assert requests.count(Advance) >= 2
    assert without_seconds(rows) == without_seconds(expected.rows)
    for query in (STAGES, CURVES):
        assert zoo.execute(query).fetchall() == expected.store.execute(query).fetchall()
    assert all(Path(row[7]).exists() for row in rows)


def test_a_benchmark_ends_as_one_after_another(zoo: Store, alone: Callable[..., Ended]) -> None:
    expected = alone(BENCHMARK)
    with two_at_once(), asked(nothing) as requests:
        rows = zoo.execute(BENCHMARK).fetchall()
    assert requests.count(Advance) >= 4
    assert [row[:5] for row in rows] == [row[:5] for row in expected.rows]
    assert zoo.execute(CURVES).fetchall() == expected.store.execute(CURVES).fetchall()
    telemetry = "SELECT count(*) FROM training_telemetry WHERE peak_memory IS NOT NULL"
    assert zoo.execute(telemetry).fetchone() == (len(rows),)


def test_runs_on_record_are_walked_beside_those_that_train(zoo: Store, alone: Callable[..., Ended]) -> None:
    """By whichever worker, stage after stage."""
    statement = SELECT.replace("3 MODELS", "4 MODELS").replace(", ensemble = true", "")
    benchmark = f"BENCHMARK MODELS WHERE name NOT IN ('bert', 'gpt2') ON texts WITH ({TINY}, device = 'cpu')"
    zoo.execute(benchmark)
    expected = alone(benchmark, statement)
    with two_at_once(), asked(nothing, share=1) as requests:
        rows = zoo.execute(statement).fetchall()
    assert Advance in requests
    assert without_seconds(rows) == without_seconds(expected.rows)
    assert {row[5] for row in rows} == {2.0}
    assert zoo.execute(STAGES).fetchall() == expected.store.execute(STAGES).fetchall()


@pytest.mark.parametrize(("statement", "when"), [(SELECT, 1), (SELECT, 2), (SELECT, 4), (BENCHMARK, 4)])
def test_models_of_a_lost_worker_are_trained_elsewhere(
    statement: str, when: int, zoo: Store, alone: Callable[..., Ended]
) -> None:
    """What it had of the stage before is read from disk, what it had done of this one is trained again."""
    advanced: list[WorkerClient] = []

    def kill(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            if len(advanced) == when:
                os.kill(worker.transport.pid, signal.SIGKILL)

    with two_at_once(), asked(kill):
        zoo.execute(statement)
    assert len(advanced) == when
    for query in (STAGES, CURVES):
        rows, expected = (store.execute(query).fetchall() for store in (zoo, alone(statement).store))
        # What is left alone is trained on both threads, to other last digits.
        assert rows == [
            tuple(pytest.approx(value, abs=1e-4, nan_ok=True) for value in row) for row in expected
        ]
    assert zoo.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)


@pytest.mark.parametrize("kind", [messages.SaveState, messages.Test, messages.PredictScores, messages.Save])
def test_models_that_are_lost_after_a_stage_are_trained_again(
    kind: type[Request[Any]], zoo: Store, alone: Callable[..., Ended]
) -> None:
    """Before they are saved, tested at the end, weighed, or kept as winners."""
    killed, every = list[int](), SELECT.replace("3 MODELS", "5 MODELS")

    def kill(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, kind) and not killed:
            killed.append(worker.transport.pid)
            os.kill(killed[0], signal.SIGKILL)

    with two_at_once(), before_each_request(kill):
        found = zoo.execute(every).fetchall()
    assert killed
    assert all(Path(row[7]).exists() for row in found)
    rows = without_seconds(found)
    expected = without_seconds(alone(every).rows)
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    for row, other in zip(rows, expected, strict=True):  # what is left alone trains on both threads
        assert row[3:] == pytest.approx(other[3:], abs=1e-4)


def test_a_model_that_fails_in_a_worker_process_says_why(
    zoo: Store, model_copy: Callable[[str], Path]
) -> None:
    """Its weights have gone since it was registered, and the others go on."""
    for name in ("broken", "wrecked"):
        folder = model_copy("bert")
        zoo.execute(f"CREATE MODEL {name} FROM '{folder.rename(folder.with_name(name))}'")
        (folder.with_name(name) / "model.safetensors").write_bytes(b"nothing")
        zoo.execute("DELETE FROM fingerprints WHERE name = ?", [name])  # or that they changed is what is said
    with two_at_once(), asked(nothing) as requests:
        zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY}, device = 'cpu')")
    assert Advance in requests
    reasons = dict(zoo.execute("SELECT model, reason FROM benchmark_failures").fetchall())
    assert set(reasons) == {"broken", "wrecked"}
    assert all("is no complete safetensors file" in reason for reason in reasons.values())
    assert zoo.execute("SELECT count(*) FROM benchmark_results").fetchone() == (5,)


def test_a_stopped_selection_stops_its_workers_and_goes_on_with_them(
    zoo: Store, alone: Callable[..., Ended]
) -> None:
    advanced: list[WorkerClient] = []

    def interrupt(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            if len(advanced) == 4:
                zoo.interrupt()

    with two_at_once():
        with asked(interrupt), pytest.raises(duckdb.InterruptException):
            zoo.execute(SELECT)
        assert advanced[-1].alive
        with asked(nothing, share=1) as requests:
            rows = zoo.execute("RESUME SELECTION 1").fetchall()
    assert Advance in requests
    assert without_seconds(rows) == without_seconds(alone(SELECT).rows)
    assert zoo.execute(STAGES).fetchall() == alone(SELECT).store.execute(STAGES).fetchall()


@pytest.fixture
def obeys_ctrl_c() -> Iterator[None]:
    """Tests that run in the background would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_ctrl_c_leaves_workers_that_can_be_asked_again(zoo: Store, obeys_ctrl_c: None) -> None:
    advanced: list[WorkerClient] = []

    def ctrl_c(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            advanced.append(worker)
            os.kill(os.getpid(), signal.SIGINT)
            with suppress(duckdb.InterruptException):
                while True:  # until the first one has stopped the jobs
                    check()
            os.kill(os.getpid(), signal.SIGINT)

    with two_at_once():
        with asked(ctrl_c), pytest.raises(KeyboardInterrupt):
            zoo.execute(BENCHMARK)
        with asked(nothing) as requests:
            rows = zoo.execute(BENCHMARK).fetchall()
    assert advanced[0].alive
    assert Advance in requests
    assert {row[6] for row in rows} <= {"done", "skipped"}


def test_a_budget_of_seconds_ends_what_several_train(zoo: Store) -> None:
    statement = SELECT.replace("epochs = 2", "epochs = 5000").replace("ensemble = true", "budget_seconds = 3")
    with two_at_once():
        rows = zoo.execute(statement.replace("BEST 3 MODELS", "BEST MODEL")).fetchall()
    [(reason,)] = zoo.execute("SELECT reason FROM selection_stages WHERE action = 'won'").fetchall()
    assert "when the budget of 3 s was spent" in reason
    assert Path(rows[0][7]).is_dir()


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
