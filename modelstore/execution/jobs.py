"""Jobs carried out by several workers at the same time, as if one after another: all else is on this thread."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from modelstore.execution.client import POLL_SECONDS, WorkerLost
from modelstore.execution.workers import Worker
from modelstore.interruption import check, stopped_by

Result = TypeVar("Result")
OnBatch = Callable[..., None]  # given how many batches, one where nothing is given
Job = Callable[[Worker, OnBatch], Result]


def run_jobs(
    workers: Sequence[Worker],
    jobs: int,
    take: Callable[[Worker, bool], Job[Result] | None],
    on_result: Callable[[Result], None],
    on_batch: OnBatch,
) -> None:
    """Carries out ``jobs`` jobs at most; ``on_result`` is given their results as they come.

    ``take`` gives a worker that is free its next job, None where there is none for it; asked again with True, also
    one that another would be better for. The CPU's threads are shared out to as many as work at the same time. What
    a job raises ends all of it, as does what the functions raise: those under way are stopped. A worker that is
    lost gets no more jobs, and the one that it had goes to another.
    """
    at_once = min(sum(worker.alive for worker in workers), jobs)
    if at_once <= 1:
        while job := take(workers[0], True):
            on_result(job(workers[0], on_batch))
        return
    import torch

    threads = max(1, torch.get_num_threads() // at_once)
    events: SimpleQueue[Any] = SimpleQueue()
    stop = threading.Event()

    def work(worker: Worker, job: Job[Result]) -> None:
        try:
            with stopped_by(stop), worker.using(threads):
                result = job(worker, lambda count=1: events.put((None, None, count, None)))
                events.put((worker, job, result, None))
        except BaseException as error:
            events.put((worker, job, None, error))

    free, busy = list(workers), 0
    begun: list[Future[None]] = []
    lost: list[Job[Result]] = []
    pool = ThreadPoolExecutor(at_once, "modelstore-worker")
    try:
        while True:
            for another in (False, True):
                for worker in [one for one in free if one.ready]:
                    if busy < at_once and (job := lost.pop() if lost else take(worker, another)):
                        free.remove(worker)
                        begun.append(pool.submit(copy_context().run, work, worker, job))
                        busy += 1
            if not busy:
                return
            worker, job, value, error = _next(events)
            if worker is None:
                on_batch(value)
                continue
            busy -= 1
            if isinstance(error, WorkerLost):
                lost.append(job)
                continue
            if error is not None:
                raise error
            free.append(worker)
            on_result(value)
    finally:
        stop.set()
        _wait_for(begun)
        pool.shutdown()


def _next(events: SimpleQueue[Any]) -> Any:
    """The next event; raises where the statement shall stop before."""
    while True:
        check()
        try:
            return events.get(timeout=POLL_SECONDS)
        except Empty:
            pass


def _wait_for(begun: Sequence[Future[None]]) -> None:
    """For the end of what was stopped, however often Ctrl-C is pressed: nothing may begin beside it."""
    interrupt: KeyboardInterrupt | None = None
    while not all(one.done() for one in begun):
        try:
            wait(begun)
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
