"""When a worker process ends, and what happens where none can be started."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forked import ForkedTransport

from modelstore.execution.local import LocalWorker
from modelstore.execution.messages import Ready, ReleaseAll, ReleaseRun
from modelstore.execution.pool import WorkerPool
from modelstore.execution.transport import PipeTransport


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells when the process of another program ends"
)
@pytest.mark.parametrize("fork", ["", "if not os.fork(): sys.stdin.read(); os._exit(0)"])
def test_a_worker_process_ends_with_the_program_that_started_it(tmp_path: Path, fork: str) -> None:
    """However that ends, and what it has forked; and it needs no `if __name__ == '__main__'` to have one."""
    script = tmp_path / "program.py"
    script.write_text(
        "import os, sys\n"
        "from modelstore.execution.pool import worker_pool\n"
        "with worker_pool(['cpu', 'cpu']) as workers:\n"
        "    _, worker = workers.present()\n"
        "    assert worker.wait_until_ready(60)\n"
        "    print(worker.transport.pid, flush=True)\n"
        f"    {fork}\n"
        "    sys.stdin.read()\n"
    )
    program = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdin is not None
    worker = os.pidfd_open(int(program.stdout.readline()))
    ended = select.poll()
    ended.register(worker, select.POLLIN)
    assert not ended.poll(0)
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert ended.poll(10_000), "the worker process is still there"
    program.stdin.close()
    program.stdout.close()
    os.close(worker)


def test_a_worker_process_ends_when_it_has_been_idle_for_long_but_not_before() -> None:
    """While it may have runs it waits, however long a stage takes elsewhere."""
    worker = ForkedTransport(idle_seconds=0.1)
    assert worker.receive(60) == Ready()
    assert still_runs(worker)
    worker.send(ReleaseRun(7))
    assert still_runs(worker)
    worker.send(ReleaseAll())
    assert worker.process.wait(10) == 0
    worker.close()


def still_runs(worker: ForkedTransport) -> bool:
    try:
        worker.process.wait(0.5)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_without_a_program_to_start_this_process_is_the_only_worker() -> None:
    pool = WorkerPool(start=lambda: PipeTransport("/nowhere/python"))
    with pool.workers(["cpu", "cpu"]) as workers:
        assert [type(worker) for worker in workers.present()] == [LocalWorker]
