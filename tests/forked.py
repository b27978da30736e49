"""Processes forked from one that has imported torch and transformers, which takes seconds: each begins at once.

They are for tests of what a process does and leaves behind. What a program loads, and how it begins and ends, is
tested with a fresh interpreter.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from modelstore.execution import worker_process
from modelstore.execution.transport import PipeTransport

_context = multiprocessing.get_context("forkserver")
# pyarrow loads pandas for the first column that it makes.
_context.set_forkserver_preload(["modelstore.execution.torch_executor", "modelstore.shell.app", "pandas"])


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the text of a program as `python -c` does, with this process's folder, environment and threads."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        surroundings = (os.getcwd(), dict(os.environ), torch.get_num_threads())
        process = _context.Process(
            target=_run, args=(program, arguments, out, err, *surroundings), daemon=True
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(program, process.exitcode, out.read_text(), err.read_text())


def _run(
    program: str,
    arguments: tuple[str, ...],
    out: Path,
    err: Path,
    folder: str,
    environment: dict[str, str],
    threads: int,
) -> None:
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    sys.argv = ["-c", *arguments]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})


class ForkedTransport(PipeTransport):
    """A worker process like those that `PipeTransport` starts.

    Parameters
    ----------
    options
        Keyword arguments of `modelstore.execution.worker_process.main`.
    """

    def __init__(self, **options: float) -> None:
        self._lost = False
        self._sending = threading.Lock()
        self._connection, theirs = Pipe()
        process = _context.Process(target=worker_process.main, args=(theirs,), kwargs=options, daemon=True)
        process.start()
        theirs.close()
        self._process = self.process = _Popen(process)


class _Popen:
    """A forked process with what a transport uses of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess):
        assert process.pid is not None
        self.pid = process.pid
        self._process = process
        self._asking = threading.Lock()

    def poll(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        with self._asking:
            self._process.join(timeout)
            code = self._process.exitcode
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired("a worker process", timeout)
        return code

    def kill(self) -> None:
        self._process.kill()
