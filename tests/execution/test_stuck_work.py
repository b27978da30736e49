"""Work that does not stop when it is asked to: an interruption returns all the same."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from fake_worker import FakeWorker
from forked import ForkedTransport

from modelstore.data.task_data import TaskData
from modelstore.execution.client import WorkerClient
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.messages import Prepare, ReportMemory, WatchMemory
from modelstore.execution.transport import PipeTransport
from modelstore.execution.workers import FixedWorkers
from modelstore.interruption import Interruption, check, stopped_by


@pytest.fixture
def helper() -> Iterator[WorkerClient]:
    """A worker process that has started."""
    client = WorkerClient("cpu", ForkedTransport())
    assert client.wait_until_ready(100)
    yield client
    client.close()


def stop_process(client: WorkerClient) -> None:
    assert isinstance(client.transport, PipeTransport)
    os.kill(client.transport.pid, signal.SIGSTOP)


def large_data() -> TaskData:
    """More than fits into a pipe."""
    rows = pa.table({"text": ["x" * 1_000_000] * 20, "label": np.arange(20) % 2})
    return TaskData("large", "text_classification", "accuracy", "text", ("a", "b"), rows, rows, rows)


@pytest.mark.parametrize("what", ["waits for an answer", "sends"])
def test_a_helper_that_is_stopped_is_ended_with_the_statement(what: str, helper: WorkerClient) -> None:
    request: Any = WatchMemory("cpu")
    if what == "sends":
        request = Prepare(os.getcwd(), dict(os.environ), large_data())
    asked, stop, jobs = threading.Event(), threading.Event(), list[Job[None]]()

    def ask(worker: Any, on_batch: Any) -> None:
        stop_process(helper)
        asked.set()
        helper.ask(request)

    def take(worker: Any, any_job: bool) -> Job[None] | None:
        return jobs.pop() if worker is helper and jobs else None

    jobs.append(ask)
    threading.Thread(target=lambda: asked.wait() and stop.set()).start()
    workers = FixedWorkers([FakeWorker("here"), helper])
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        run_jobs(workers, 2, take, lambda result: None, lambda count=1: None)
    assert not helper.alive


def test_a_helper_that_the_statement_itself_asks_is_ended_too(helper: WorkerClient) -> None:
    stop_process(helper)
    interruption = Interruption()
    threading.Timer(0.1, interruption.interrupt).start()
    with pytest.raises(duckdb.Error), interruption.working():
        helper.ask(ReportMemory())
    assert not helper.alive


def test_a_job_that_never_checks_is_ended_with_the_statement() -> None:
    began, stop, ended = threading.Event(), threading.Event(), list[str]()

    def deaf(worker: Any, on_batch: Any) -> None:
        began.set()
        try:
            while True:
                try:
                    sum(range(100))
                except Exception:
                    ended.append("taken for an error")
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    def hears(worker: Any, on_batch: Any) -> None:
        while True:
            check()

    jobs: list[Job[None]] = [deaf, hears]
    threading.Thread(target=lambda: began.wait() and stop.set()).start()
    workers = FixedWorkers([FakeWorker("a"), FakeWorker("b")])
    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        run_jobs(
            workers, 2, lambda worker, _: jobs.pop() if jobs else None, lambda result: None, lambda n=1: None
        )
    assert ended == ["Forced"]


def test_what_is_stuck_in_native_code_is_left_and_the_next_jobs_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modelstore.execution.jobs.PATIENCE", 0.05)
    began, go_on, order = threading.Event(), threading.Event(), list[str]()

    def stuck(worker: Any, on_batch: Any) -> None:
        began.set()
        go_on.wait()  # a lock is native code: no error is raised in it
        order.append("stuck")

    stop = threading.Event()
    jobs: list[Job[None]] = [stuck]
    threading.Thread(target=lambda: began.wait() and stop.set()).start()
    workers = FixedWorkers([FakeWorker("a"), FakeWorker("b")])

    def take(worker: Any, any_job: bool) -> Job[None] | None:
        return jobs.pop() if jobs else None

    with stopped_by(stop), pytest.raises(duckdb.InterruptException):
        run_jobs(workers, 2, take, lambda result: None, lambda count=1: None)
    assert order == []
    threading.Timer(0.2, go_on.set).start()
    jobs += [lambda worker, on_batch: order.append("next")] * 2
    run_jobs(workers, 2, take, lambda result: None, lambda count=1: None)
    assert order[-2:] == ["next", "next"]
    assert go_on.is_set()


def test_a_library_that_ends_the_program_in_a_helper_does_not_end_this_one() -> None:
    from modelstore.execution.messages import Failed

    for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit()):
        assert isinstance(Failed.because_of(error).error, RuntimeError)
