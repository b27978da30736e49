"""Jobs that several workers do: which worker gets which, and how all of them end."""

import threading
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import torch
from fake_worker import FakeWorker

from modelstore.errors import TrainingError
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.worker import NoWorker, WorkerLost
from modelstore.execution.workers import FixedWorkers
from modelstore.interruption import check, stopped_by

SECONDS = 10  # after which a test that waits for another thread has failed


def results_of(
    workers: list[Any], jobs: list[Any], on_batch: Callable[..., None] = lambda n=1: None
) -> list[Any]:
    waiting = list(jobs)
    take = lambda worker, any_job: waiting.pop(0) if waiting else None  # noqa: E731
    results: list[Any] = []
    run_jobs(FixedWorkers(workers), len(jobs), take, results.append, on_batch)
    return results


def test_jobs_are_done_at_the_same_time() -> None:
    """Each waits for the other, which would not end one after another."""
    both = threading.Barrier(2, timeout=SECONDS)

    def job(worker: Any, on_batch: Any) -> str:
        both.wait()
        return str(worker)

    assert sorted(results_of([FakeWorker("a"), FakeWorker("b")], [job, job])) == ["a", "b"]


def test_a_worker_that_is_not_ready_is_not_waited_for() -> None:
    late = FakeWorker("late", ready=False)

    def job(worker: Any, on_batch: Any) -> str:
        return str(worker)

    assert results_of([FakeWorker("a"), late], [job] * 3) == ["a"] * 3


def test_another_worker_does_the_job_of_one_that_is_lost() -> None:
    gone = threading.Event()

    def job(worker: Any, on_batch: Any) -> str:
        if worker.name == "lost":
            gone.set()
            raise WorkerLost("gone")
        assert gone.wait(SECONDS)
        return str(worker)

    assert results_of([FakeWorker("a"), FakeWorker("lost")], [job] * 4) == ["a"] * 4


def test_a_job_that_workers_are_lost_over_is_given_up() -> None:
    def deadly(worker: Any, on_batch: Any) -> str:
        if isinstance(worker, NoWorker):
            with pytest.raises(TrainingError, match="3 workers were lost over it, the last because gone"):
                worker.executor({}, None, None, {})
            return "given up"
        raise WorkerLost("gone")

    workers = [FakeWorker(name) for name in "abcde"]
    assert sorted(results_of(workers, [deadly, lambda worker, on_batch: "done"])) == ["done", "given up"]


class Coming(FixedWorkers):
    """No worker is there at first; one comes with each wait."""

    here = None
    at_once = 2

    def __init__(self) -> None:
        super().__init__([])

    def wait(self) -> None:
        self._workers.append(FakeWorker(f"after {len(self._workers) + 1}"))


def test_workers_that_come_later_are_waited_for_and_take_part() -> None:
    workers, second = Coming(), threading.Event()

    def job(worker: Any, on_batch: Any) -> str:
        if worker.name == "after 1":
            workers.wait()
            assert second.wait(SECONDS)
        second.set()
        return str(worker)

    waiting, results = [job, job], list[str]()
    run_jobs(workers, 2, lambda *_: waiting.pop() if waiting else None, results.append, lambda n=1: None)
    assert sorted(results) == ["after 1", "after 2"]


def test_threads_are_shared_out_to_as_many_as_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    for jobs, each in ((5, 2), (2, 3)):
        workers = [FakeWorker("a"), FakeWorker("b"), FakeWorker("c")]
        results_of(workers, [lambda worker, on_batch: None] * jobs)
        assert {threads for worker in workers for threads in worker.threads} == {each}


def test_a_worker_gets_the_jobs_that_suit_it_first() -> None:
    done: list[tuple[str, str]] = []
    waiting = ["for b", "for a", "for a", "for a"]
    b_has_helped = threading.Event()

    def take(worker: Any, any_job: bool) -> Job[None] | None:
        possible = [one for one in waiting if any_job or one == f"for {worker}"]
        if not possible:
            return None
        waiting.remove(possible[0])

        def job(worker: Any, on_batch: Any) -> None:
            done.append((str(worker), possible[0]))
            if done[-1] == ("b", "for a"):
                b_has_helped.set()
            if worker.name == "a":
                assert b_has_helped.wait(SECONDS)

        return job

    workers: list[Any] = [FakeWorker("a"), FakeWorker("b")]
    run_jobs(FixedWorkers(workers), 4, take, lambda result: None, lambda n=1: None)
    assert ("a", "for b") not in done
    assert ("b", "for b") in done
    assert ("b", "for a") in done  # no job for it was left


def test_an_error_stops_the_other_jobs() -> None:
    stopped = threading.Event()

    def endless(worker: Any, on_batch: Any) -> None:
        try:
            while True:
                check()
        except duckdb.InterruptException:
            stopped.set()
            raise

    def wrong(worker: Any, on_batch: Any) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        results_of([FakeWorker("a"), FakeWorker("b")], [endless, wrong])
    assert stopped.is_set()


@pytest.mark.parametrize("how", ["on_batch", "statement"])
def test_an_error_or_interrupt_during_the_wait_stops_the_jobs(how: str) -> None:
    ended, stop = [], threading.Event()

    def endless(worker: Any, on_batch: Any) -> None:
        try:
            while True:
                check()
                on_batch()
        finally:
            ended.append(worker)

    def on_batch(count: int = 1) -> None:
        if how == "on_batch":
            raise KeyError
        stop.set()

    with stopped_by(stop), pytest.raises((KeyError, duckdb.InterruptException)):
        results_of([FakeWorker("a"), FakeWorker("b")], [endless, endless], on_batch)
    assert len(ended) == 2
