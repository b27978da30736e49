"""Workers: which devices they have, the order of what they do, and their end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import duckdb
import pytest
import torch

from modelstore.errors import TrainingError
from modelstore.execution import workers
from modelstore.execution.client import WorkerLost
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.server import READY, RELEASE
from modelstore.execution.workers import devices_for
from modelstore.interruption import check, stopped_by


class Place:
    """A worker whose jobs are functions of this process."""

    device = "cpu"
    alive = True

    def __init__(self, name: str, ready: bool = True):
        self.name = name
        self.ready = ready
        self.threads: list[int] = []

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        self.threads.append(threads)
        yield

    def __repr__(self) -> str:
        return self.name


def carry_out(
    places: list[Any], jobs: list[Any], on_batch: Callable[..., None] = lambda n=1: None
) -> list[Any]:
    waiting = list(jobs)
    take = lambda worker, another: waiting.pop(0) if waiting else None  # noqa: E731
    results: list[Any] = []
    run_jobs(places, len(jobs), take, results.append, on_batch)
    return results


def test_jobs_are_done_at_the_same_time() -> None:
    """Each waits for the other, which one after another would not end."""
    both = threading.Barrier(2, timeout=10)

    def job(worker: Any, on_batch: Any) -> str:
        both.wait()
        return str(worker)

    assert sorted(carry_out([Place("a"), Place("b")], [job, job])) == ["a", "b"]


def test_one_that_is_not_ready_is_not_waited_for() -> None:
    late = Place("late", ready=False)

    def job(worker: Any, on_batch: Any) -> str:
        return str(worker)

    assert carry_out([Place("a"), late], [job] * 3) == ["a"] * 3


def test_a_lost_worker_s_job_is_done_by_another() -> None:
    def job(worker: Any, on_batch: Any) -> str:
        if worker.name == "lost":
            raise WorkerLost("gone")
        time.sleep(0.05)
        return str(worker)

    assert carry_out([Place("a"), Place("lost")], [job] * 4) == ["a"] * 4


def test_threads_are_shared_out_to_as_many_as_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    places = [Place("a"), Place("b"), Place("c")]
    carry_out(places, [lambda worker, on_batch: time.sleep(0.02)] * 5)
    assert {threads for place in places for threads in place.threads} == {2}
    places = [Place("a"), Place("b"), Place("c")]
    carry_out(places, [lambda worker, on_batch: time.sleep(0.02)] * 2)
    assert {threads for place in places for threads in place.threads} == {3}


def test_each_gets_first_what_is_its_own() -> None:
    done: list[tuple[str, str]] = []
    waiting = ["of b", "of a", "of a", "of a"]

    def take(worker: Any, another: bool) -> Job[None] | None:
        mine = [one for one in waiting if another or one == f"of {worker}"]
        if not mine:
            return None
        waiting.remove(mine[0])

        def job(worker: Any, on_batch: Any) -> None:
            done.append((str(worker), mine[0]))
            time.sleep(0.05)

        return job

    places: list[Any] = [Place("a"), Place("b")]
    run_jobs(places, 4, take, lambda result: None, lambda n=1: None)
    assert ("a", "of b") not in done
    assert ("b", "of b") in done
    assert ("b", "of a") in done  # nothing of its own was left


def test_an_error_ends_the_others() -> None:
    stopped = threading.Event()

    def endless(worker: Any, on_batch: Any) -> None:
        try:
            while True:
                check()
                time.sleep(0.001)
        except duckdb.InterruptException:
            stopped.set()
            raise

    def wrong(worker: Any, on_batch: Any) -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        carry_out([Place("a"), Place("b")], [endless, wrong])
    assert stopped.is_set()


@pytest.mark.parametrize("how", ["on_batch", "statement"])
def test_what_ends_the_wait_ends_the_jobs(how: str) -> None:
    ended, stop = [], threading.Event()

    def endless(worker: Any, on_batch: Any) -> None:
        try:
            while True:
                check()
                on_batch()
                time.sleep(0.001)
        finally:
            ended.append(worker)

    def on_batch(count: int = 1) -> None:
        if how == "on_batch":
            raise KeyError
        stop.set()

    with stopped_by(stop), pytest.raises((KeyError, duckdb.InterruptException)):
        carry_out([Place("a"), Place("b")], [endless, endless], on_batch)
    assert len(ended) == 2


def test_the_cpu_takes_as_many_as_it_has_threads_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    def with_memory(free: float | None, models: int = 10) -> list[str]:
        monkeypatch.setattr(workers, "available", lambda: free)
        return devices_for("cpu", models, lambda at_once: at_once * 1e9)

    assert with_memory(100e9) == ["cpu"] * 4
    assert with_memory(100e9, models=3) == ["cpu"] * 3
    assert with_memory(100e9, models=1) == ["cpu"]
    assert with_memory(3.5e9) == ["cpu"] * 3
    assert with_memory(0.5e9) == ["cpu"]
    assert with_memory(None) == ["cpu"] * 4
    assert devices_for("cpu", 10, lambda at_once: None) == ["cpu"] * 4


def test_each_gpu_takes_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)

    def devices(device: str, models: int) -> list[str]:
        return devices_for(device, models, lambda at_once: 1e15)

    assert devices("auto", 10) == devices("cuda", 10) == ["cuda:1", "cuda:0", "cuda:2"]
    assert devices("auto", 2) == ["cuda:1", "cuda:0"]
    assert devices("cuda:2", 10) == ["cuda:2"]
    with pytest.raises(TrainingError, match="device 'cuda:3' is not on this machine"):
        devices("cuda:3", 10)


def test_a_helper_ends_with_the_program_that_it_works_for(tmp_path: Path) -> None:
    """However that ends; and a program needs no `if __name__ == '__main__'` to have one."""
    script = tmp_path / "program.py"
    script.write_text(
        "import time\n"
        "from modelstore.execution.workers import worker_pool\n"
        "with worker_pool(['cpu', 'cpu']) as (_, helper):\n"
        "    while not helper.ready: time.sleep(0.01)\n"
        "    print(helper._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    program = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    helper = int(program.stdout.readline())
    assert Path(f"/proc/{helper}").exists() or not Path("/proc").exists()
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    for _ in range(500):
        try:
            os.kill(helper, 0)
        except ProcessLookupError:
            return
        if "\nState:\tZ" in Path(f"/proc/{helper}/status").read_text():
            return  # gone, and not yet collected by whoever inherited it
        time.sleep(0.01)
    raise AssertionError("the helper is still there")


def test_a_helper_ends_when_it_has_rested_for_long_but_not_before() -> None:
    """While it may have runs it waits, however long another's stage takes."""
    ours, theirs = Pipe()
    code = (
        "from multiprocessing.connection import Connection\n"
        "from modelstore.execution import server\n"
        "server.IDLE_SECONDS = 0.1\n"
        f"server.main(Connection({theirs.fileno()}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno()])
    theirs.close()
    assert ours.recv() == READY
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    ours.send((RELEASE, 7))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    ours.send((RELEASE, None))
    assert process.wait(10) == 0
    ours.close()


def test_without_a_program_to_start_there_are_no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_resting", [])
    monkeypatch.setattr("modelstore.execution.client.get_executable", lambda: "/nowhere/python")
    with workers.worker_pool(["cpu", "cpu"]) as worker_pool:
        assert [type(worker) for worker in worker_pool] == [workers.LocalWorker]
